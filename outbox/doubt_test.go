package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// firstCommit is a fault of the first commit that comes by; for the Before or After of a
// FaultyStore.
func firstCommit(fault func() error) func(context.Context, string, string) error {
	first := true
	return func(_ context.Context, op, _ string) error {
		if op != "commit" || !first {
			return nil
		}
		first = false
		return fault()
	}
}

// TestDoubtIsKept: the first commit is applied and its answer lost, no read shows anything
// but the old entity, and the repetition fails for certain. The caller must not be told that
// nothing was stored.
func TestDoubtIsKept(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]error{
		"throttled": &outbox.Error{Class: outbox.Throttled, Op: "commit"},
		"conflict":  outbox.ErrConflict,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := &outboxtest.MemStore{}
				commits := 0
				s := blind{&outboxtest.FaultyStore{
					Storage: mem,
					Before: func(_ context.Context, op, _ string) error {
						if op != "commit" {
							return nil
						}
						if commits++; commits > 1 {
							return second
						}
						return nil
					},
					After: func(_ context.Context, op, _ string) error {
						if op == "commit" {
							return lost
						}
						return nil
					},
				}}
				_, err := outbox.NewWriter(s, outbox.WriterOptions{}).Write(t.Context(), keyed(put("k", "a"), "id", "h"))
				require.ErrorIs(t, err, lost)
				require.Equal(t, outbox.Ambiguous, outbox.ClassOf(err))
				require.Len(t, mem.Events("k"), 1)
			})
		})
	}
}

// TestARepetitionThatMeetsAReceipt: its own tells that the batch is stored, another's that it
// never will be. Either is known at once.
func TestARepetitionThatMeetsAReceipt(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{true, false} {
		t.Run(fmt.Sprint("own: ", own), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := &outboxtest.MemStore{}
				other := outbox.NewWriter(mem, outbox.WriterOptions{})
				must(t, other, put("k", "there"))
				var store outboxtest.Storage = mem
				req := keyed(onlyIf(version(1), put("k", "a")), "id", "h")
				if own { // no read shows that the entity was replaced
					store = &lagging{Storage: mem, old: mem.Copy()}
					store = unmoved{store, store}
				} else {
					must(t, other, req)
				}
				fault := firstCommit(func() error {
					return lost
				})
				s := &outboxtest.FaultyStore{Storage: store}
				if own {
					s.After = fault
				} else {
					s.Before = fault
				}
				began := time.Now()
				answer := must(t, outbox.NewWriter(s, outbox.WriterOptions{}), req)
				require.Equal(t, 200, answer.Status)
				require.Less(t, time.Since(began), time.Second)
				require.Len(t, mem.Events("k"), 2)
			})
		})
	}
}

// unmoved shows old entities whatever barrier there was, and receipts as they are.
type unmoved struct {
	outboxtest.Storage
	old outbox.Store
}

func (u unmoved) Load(ctx context.Context, key string) (outbox.Entity, error) {
	return u.old.(*lagging).old.Load(ctx, key)
}

// blind shows every entity as it was before it was stored, against all barriers.
type blind struct{ outboxtest.Storage }

func (blind) Load(_ context.Context, key string) (outbox.Entity, error) {
	return outbox.Entity{Key: key}, nil
}

// TestARescuedCommitIsTold: a commit that was found by looking up what became of it wakes the
// fast path as any other.
func TestARescuedCommitIsTold(t *testing.T) {
	t.Parallel()
	for _, meanwhile := range []bool{false, true} {
		t.Run(fmt.Sprint("replaced since: ", meanwhile), func(t *testing.T) {
			t.Parallel()
			mem := &outboxtest.MemStore{}
			s := &outboxtest.FaultyStore{Storage: mem, After: firstCommit(func() error {
				if meanwhile {
					must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", "other"))
				}
				return lost
			})}
			var notified []string
			var signals []outbox.Signal
			w := outbox.NewWriter(s, outbox.WriterOptions{
				Committed: func(key string, _ ...outbox.Event) { notified = append(notified, key) },
				Observer:  func(s outbox.Signal) { signals = append(signals, s) },
			})
			require.Equal(t, `"1"`, must(t, w, keyed(put("k", "a"), "id", "h")).ETag)
			require.Equal(t, []string{"k"}, notified)
			require.True(t, slices.ContainsFunc(signals, func(s outbox.Signal) bool {
				c, ok := s.(outbox.Committed)
				return ok && len(c.Events) == 1
			}))
		})
	}
}

// TestABatchThatArrivesLate: its answer was lost before it got there. A read does not fence
// it; its repetition does.
func TestABatchThatArrivesLate(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "id"} {
		t.Run("key="+key, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := &outboxtest.MemStore{}
				must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", "before"))
				s := &late{Storage: mem, after: time.Second, arrived: make(chan error, 1)}
				w := outbox.NewWriter(s, outbox.WriterOptions{})
				req := put("k", "a")
				if key != "" {
					req = keyed(req, key, "h")
				}
				require.Equal(t, `"2"`, must(t, w, req).ETag)
				require.Equal(t, `"3"`, must(t, w, put("k", "b")).ETag)
				arrived := <-s.arrived
				if _, ok := errors.AsType[*outbox.ReceiptExistsError](arrived); !ok { // either keeps it out
					require.ErrorIs(t, arrived, outbox.ErrConflict)
				}
				require.Len(t, mem.Events("k"), 3)
				require.Equal(t, `"b"`, string(entity(t, mem, "k").Data))
			})
		})
	}
}

// late delivers its first commit after a while, and says at once that its answer was lost.
type late struct {
	outboxtest.Storage
	after   time.Duration
	sent    bool
	arrived chan error
}

func (l *late) Commit(ctx context.Context, c outbox.Commit) (outbox.Revisions, error) {
	if l.sent {
		return l.Storage.Commit(ctx, c)
	}
	l.sent = true
	go func() {
		time.Sleep(l.after)
		_, err := l.Storage.Commit(context.WithoutCancel(ctx), c)
		l.arrived <- err
	}()
	return outbox.Revisions{}, lost
}

// TestOneReceiptTellsOfTheWholeBatch: two requests without a key and one with share a batch
// whose answer is lost, and another process writes before anybody looks.
func TestOneReceiptTellsOfTheWholeBatch(t *testing.T) {
	t.Parallel()
	for _, applied := range []bool{true, false} {
		for _, withKey := range []bool{true, false} {
			t.Run(fmt.Sprintf("applied=%v key=%v", applied, withKey), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					mem := &outboxtest.MemStore{}
					other := outbox.NewWriter(mem, outbox.WriterOptions{})
					commits := 0
					fault := func(mine bool) func(context.Context, string, string) error {
						return func(ctx context.Context, op, _ string) error {
							if op != "commit" || !mine || commits != 1 {
								return nil
							}
							commits++
							must(t, other, put("k", "other"))
							return lost
						}
					}
					before, after := fault(!applied), fault(applied)
					reached, letGo := make(chan struct{}, 10), make(chan struct{})
					s := &outboxtest.FaultyStore{Storage: mem, After: after, Before: func(ctx context.Context, op, key string) error {
						if op == "commit" && commits == 0 {
							reached <- struct{}{}
							<-letGo
							return nil
						}
						return before(ctx, op, key)
					}}
					w := outbox.NewWriter(s, outbox.WriterOptions{})
					first := begin(t.Context(), w, put("k", "first"))
					<-reached
					one, two := begin(t.Context(), w, put("k", "one")), put("k", "two")
					if withKey {
						two = keyed(two, "id", "h")
					}
					synctest.Wait()
					second := begin(t.Context(), w, two)
					synctest.Wait()
					commits = 0
					s.After = func(ctx context.Context, op, key string) error {
						if op == "commit" && commits == 0 {
							commits = 1
							return nil
						}
						return after(ctx, op, key)
					}
					close(letGo)
					<-first.done
					<-one.done
					<-second.done
					require.NoError(t, first.err)
					events := 4
					switch {
					case withKey:
						require.NoError(t, one.err)
						require.NoError(t, second.err)
					default:
						require.Equal(t, outbox.Ambiguous, outbox.ClassOf(one.err))
						require.Equal(t, outbox.Ambiguous, outbox.ClassOf(second.err))
						if !applied {
							events = 2
						}
					}
					require.Len(t, mem.Events("k"), events)
				})
			})
		}
	}
}

// TestAnothersReceiptProvesNothing: the batch was not stored, and its key's receipt is that
// of a twin at another process, which was answered otherwise.
func TestAnothersReceiptProvesNothing(t *testing.T) {
	t.Parallel()
	mem := &outboxtest.MemStore{}
	other := outbox.NewWriter(mem, outbox.WriterOptions{})
	req := keyed(onlyIf(absent, put("k", "a")), "id", "h")
	s := &outboxtest.FaultyStore{Storage: mem, Before: firstCommit(func() error {
		must(t, other, put("k", "other"))
		require.Equal(t, 412, must(t, other, req).Status)
		return lost
	})}
	require.Equal(t, 412, must(t, outbox.NewWriter(s, outbox.WriterOptions{}), req).Status)
	require.Len(t, mem.Events("k"), 1)
}

// TestWhatFollowsARescuedBatch: the batch was stored, its answer lost, and another process
// has written since. What waits behind it is decided on that, not on the batch.
func TestWhatFollowsARescuedBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		s := &outboxtest.FaultyStore{Storage: mem, After: firstCommit(func() error {
			time.Sleep(time.Second) // meanwhile the next one comes
			must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", "other"))
			return lost
		})}
		w := outbox.NewWriter(s, outbox.WriterOptions{})
		rescued := begin(t.Context(), w, keyed(put("k", "a"), "id", "h"))
		synctest.Wait()
		next := begin(t.Context(), w, put("k", "a"))
		<-rescued.done
		<-next.done
		require.NoError(t, rescued.err)
		require.NoError(t, next.err)
		require.Equal(t, `"3"`, next.answer.ETag, "it takes the other's change back")
		require.Len(t, mem.Events("k"), 3)
	})
}

// TestDoubtOutlastsFaults: the store fails once more while somebody looks what became of a
// batch, and asks for patience.
func TestDoubtOutlastsFaults(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"barrier", "load", "receipt", "commit"} {
		t.Run(fails, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := &outboxtest.MemStore{}
				commits, failed := 0, false
				s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
					if op == "commit" {
						if commits++; commits == 1 {
							if fails == "receipt" {
								must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", "other"))
							}
							return lost
						}
					}
					if op == fails && commits > 0 && !failed {
						failed = true
						return &outbox.Error{Class: outbox.Throttled, Op: op, RetryAfter: 3 * time.Second}
					}
					return nil
				}}
				began := time.Now()
				answer := must(t, outbox.NewWriter(s, outbox.WriterOptions{}), keyed(put("k", "a"), "id", "h"))
				require.Equal(t, 200, answer.Status)
				require.True(t, failed)
				require.GreaterOrEqual(t, time.Since(began), 3*time.Second)
				require.Equal(t, `"a"`, string(entity(t, mem, "k").Data))
			})
		})
	}
}

// TestNoOpsInDoubtAreDecidedAnew: what changes nothing is never in doubt.
func TestNoOpsInDoubtAreDecidedAnew(t *testing.T) {
	t.Parallel()
	mem := &outboxtest.MemStore{}
	other := outbox.NewWriter(mem, outbox.WriterOptions{})
	must(t, other, put("k", "same"))
	s := &outboxtest.FaultyStore{Storage: mem, After: firstCommit(func() error {
		must(t, other, put("k", "changed"))
		return lost
	})}
	w := outbox.NewWriter(s, outbox.WriterOptions{})
	require.Equal(t, 412, must(t, w, onlyIf(version(1), put("k", "same"))).Status)
}

func TestAReceiptThatCannotBeRead(t *testing.T) {
	t.Parallel()
	mem := &outboxtest.MemStore{}
	must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), keyed(put("k", "a"), "id", "h"))
	var ops []string
	s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
		if ops = append(ops, op); op == "receipt" {
			return &outbox.Error{Class: outbox.Unavailable, Op: op}
		}
		return nil
	}}
	_, err := outbox.NewWriter(s, outbox.WriterOptions{}).Write(t.Context(), keyed(put("k", "a"), "id", "h"))
	require.ErrorIs(t, err, outbox.ErrTwinInFlight)
	require.Equal(t, []string{"load", "commit", "receipt"}, ops, "the store has its own retries")
}
