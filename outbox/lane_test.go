package outbox_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// held is a store whose commits of one process wait until they are let go.
func held(mem *outboxtest.MemStore) (s *outboxtest.FaultyStore, reached, letGo chan struct{}) {
	reached, letGo = make(chan struct{}, 100), make(chan struct{})
	return &outboxtest.FaultyStore{Storage: mem, Before: func(ctx context.Context, op, _ string) error {
		if op == "commit" {
			reached <- struct{}{}
			<-letGo
		}
		return nil
	}}, reached, letGo
}

// written is a Write under way.
type written struct {
	answer outbox.Answer
	err    error
	done   chan struct{}
}

func begin(ctx context.Context, w *outbox.Writer, req outbox.Request) *written {
	r := &written{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.answer, r.err = w.Write(ctx, req)
	}()
	return r
}

// TestDeadlines: who has not been sent may be told so, and is not sent any more; who has been
// is in doubt.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		slow, reached, letGo := held(mem)
		w := outbox.NewWriter(slow, outbox.WriterOptions{})
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		sent := begin(soon, w, put("k", "sent"))
		<-reached
		waits := begin(soon, w, put("k", "waits"))
		patient := begin(t.Context(), w, put("k", "patient"))
		<-sent.done
		<-waits.done
		require.Equal(t, outbox.Ambiguous, outbox.ClassOf(sent.err))
		require.ErrorIs(t, sent.err, context.DeadlineExceeded)
		require.ErrorContains(t, sent.err, `write "k"`)
		require.ErrorIs(t, waits.err, context.DeadlineExceeded)
		require.Equal(t, outbox.Unclassified, outbox.ClassOf(waits.err))
		close(letGo)
		<-patient.done
		require.NoError(t, patient.err)
		require.Equal(t, `"2"`, patient.answer.ETag)
		require.Len(t, mem.Events("k"), 2, "the one that waited was not sent")
	})
}

func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow, reached, letGo := held(&outboxtest.MemStore{})
		w := outbox.NewWriter(slow, outbox.WriterOptions{Patience: time.Minute, Queue: 2})
		begin(t.Context(), w, put("k", "sent"))
		<-reached
		began := time.Now()
		waits := begin(t.Context(), w, put("k", "waits"))
		begin(t.Context(), w, put("k", "waits, too"))
		synctest.Wait()
		_, err := w.Write(t.Context(), put("k", "no room"))
		require.ErrorIs(t, err, outbox.ErrContended)
		<-waits.done
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, outbox.Timeout, outbox.ClassOf(waits.err))
		require.EqualError(t, waits.err, `write "k": timeout: the write took too long`)
		close(letGo)
	})
}

// TestWhoLeavesMakesRoom: a request whose caller has gone holds no place in the queue.
func TestWhoLeavesMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow, reached, letGo := held(&outboxtest.MemStore{})
		w := outbox.NewWriter(slow, outbox.WriterOptions{Queue: 1})
		sent := begin(t.Context(), w, put("k", "sent"))
		<-reached
		ctx, leave := context.WithCancel(t.Context())
		gone := begin(ctx, w, put("k", "gone"))
		synctest.Wait()
		leave()
		<-gone.done
		require.ErrorIs(t, gone.err, context.Canceled)
		next := begin(t.Context(), w, put("k", "next"))
		synctest.Wait()
		close(letGo)
		<-sent.done
		<-next.done
		require.NoError(t, next.err)
		require.Equal(t, `"2"`, next.answer.ETag)
	})
}

// TestABarrierThatFails: without it the entity cannot be read as it is, and nothing is decided
// on less.
func TestABarrierThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.FaultyStore{Storage: &outboxtest.MemStore{}, Before: func(_ context.Context, op, _ string) error {
			switch op {
			case "commit":
				return outbox.ErrConflict
			case "barrier":
				return &outbox.Error{Class: outbox.Throttled, Op: op, RetryAfter: 7 * time.Second}
			}
			return nil
		}}
		_, err := outbox.NewWriter(s, outbox.WriterOptions{}).Write(t.Context(), put("k", "a"))
		require.Equal(t, outbox.Throttled, outbox.ClassOf(err))
		require.Equal(t, 7*time.Second, outbox.RetryAfterOf(err))
	})
}

// TestWhoLeavesWhileTheEntityIsRead was told that nothing is stored: the batch goes out
// without it.
func TestWhoLeavesWhileTheEntityIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
			if op == "load" {
				time.Sleep(2 * time.Second)
			}
			return nil
		}}
		// The first batch fails on its condition, and both are in the next one.
		overtaken := false
		s.After = func(_ context.Context, op, _ string) error {
			if op == "load" && !overtaken {
				overtaken = true
				must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", "other"))
			}
			return nil
		}
		w := outbox.NewWriter(s, outbox.WriterOptions{})
		patient := begin(t.Context(), w, put("k", "patient"))
		synctest.Wait()
		soon, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		leaves := begin(soon, w, put("k", "leaves"))
		<-leaves.done
		<-patient.done
		require.ErrorIs(t, leaves.err, context.DeadlineExceeded)
		require.NotEqual(t, outbox.Ambiguous, outbox.ClassOf(leaves.err))
		require.NoError(t, patient.err)
		require.Len(t, mem.Events("k"), 2)
		require.Equal(t, `"patient"`, string(entity(t, mem, "k").Data))
	})
}

// TestWhoComesTooLate: nothing is stored of a request whose time was over when it came, and
// its lane ends.
func TestWhoComesTooLate(t *testing.T) {
	t.Parallel()
	mem := &outboxtest.MemStore{}
	w := outbox.NewWriter(mem, outbox.WriterOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 100 {
		key := fmt.Sprint("k", i)
		answer, err := w.Write(ctx, put(key, "late"))
		switch {
		case err == nil:
			require.Equal(t, `"1"`, answer.ETag)
		case outbox.ClassOf(err) != outbox.Ambiguous:
			require.ErrorIs(t, err, context.Canceled)
			require.Empty(t, mem.Events(key))
		}
		require.Equal(t, 200, must(t, w, put(key, "in time")).Status)
	}
}

// TestNotStoredIsSaidAsSoonAsItIsCertain: a batch was sent, and is certain not to be stored.
// Members whose time ends before they are sent again are not in doubt.
func TestNotStoredIsSaidAsSoonAsItIsCertain(t *testing.T) {
	t.Parallel()
	is := func(err error) func(*testing.T, *outboxtest.MemStore) error {
		return func(*testing.T, *outboxtest.MemStore) error { return err }
	}
	overtaken := func(t *testing.T, mem *outboxtest.MemStore) error {
		must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", "other"))
		return lost
	}
	for name, test := range map[string]struct {
		keys [2]string // Idempotency-Keys
		text string    // put by both
		fail func(*testing.T, *outboxtest.MemStore) error
	}{
		"a conflict":                     {[2]string{"1", "2"}, "new", is(outbox.ErrConflict)},
		"a receipt that is gone again":   {[2]string{"1", "2"}, "new", is(&outbox.ReceiptExistsError{ID: outbox.ReceiptDocID("1")})},
		"one of them is bad":             {[2]string{"1", "2"}, "new", is(&outbox.Error{Class: outbox.Rejected, Op: "commit"})},
		"in doubt, but without receipts": {[2]string{"1", "2"}, "new", overtaken},
		"in doubt, but changing nothing": {[2]string{}, "there", overtaken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := &outboxtest.MemStore{}
				commits := 0
				s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
					if op != "commit" {
						return nil
					}
					time.Sleep(time.Second) // the first one: meanwhile the others come
					if commits++; commits == 2 {
						return test.fail(t, mem)
					}
					return nil
				}}
				w := outbox.NewWriter(s, outbox.WriterOptions{})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				blocker := begin(ctx, w, put("k", "there"))
				synctest.Wait()
				var members []*written
				for _, key := range test.keys {
					members = append(members, begin(ctx, w, keyed(slowAgain(put("k", test.text)), key, "h")))
					synctest.Wait()
				}
				<-blocker.done
				require.NoError(t, blocker.err)
				for _, m := range members {
					<-m.done
					require.ErrorIs(t, m.err, context.DeadlineExceeded)
					require.NotEqual(t, outbox.Ambiguous, outbox.ClassOf(m.err), "%v", m.err)
				}
				require.GreaterOrEqual(t, commits, 2)
				time.Sleep(time.Hour) // the lane ends by itself
			})
		})
	}
}

// slowAgain is req that takes a minute to decide the second time.
func slowAgain(req outbox.Request) outbox.Request {
	decide, again := req.Decide, false
	req.Decide = func(cur outbox.Entity) (outbox.Decision, error) {
		if again {
			time.Sleep(time.Minute)
		}
		again = true
		return decide(cur)
	}
	return req
}

// TestAConflictWithoutEnd: another process that is always faster costs the request its time,
// and it is told why. The same with a receipt that is there when it is created, and gone when
// it is read.
func TestAConflictWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, conflict := range map[string]error{
		"entity": outbox.ErrConflict, "receipt": &outbox.ReceiptExistsError{ID: outbox.ReceiptDocID("id")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				s := &outboxtest.FaultyStore{Storage: &outboxtest.MemStore{}, Before: func(_ context.Context, op, _ string) error {
					if op == "commit" {
						tries++
						return conflict
					}
					return nil
				}}
				_, err := outbox.NewWriter(s, outbox.WriterOptions{Patience: 10 * time.Second}).Write(t.Context(), keyed(put("k", "a"), "id", "h"))
				require.ErrorIs(t, err, outbox.ErrContended)
				require.Greater(t, tries, 50)
				require.Less(t, tries, 500, "with pauses")
			})
		})
	}
}

// TestAConflictIsOver once a batch has committed: the next one is made against that, without
// a read, the next conflict is the first one again, and who leaves then is not told of it.
func TestAConflictIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		other := outbox.NewWriter(mem, outbox.WriterOptions{})
		must(t, other, put("k", "there"))
		var ops []string
		commits := 0
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
			if ops = append(ops, op); op == "commit" {
				time.Sleep(time.Second) // meanwhile the next one comes
				if commits++; commits == 1 || commits == 4 {
					must(t, other, put("k", fmt.Sprint("other ", commits)))
				}
				if commits == 3 {
					time.Sleep(time.Hour)
				}
			}
			return nil
		}}
		w := outbox.NewWriter(s, outbox.WriterOptions{Patience: 2 * time.Hour})
		first := begin(t.Context(), w, put("k", "first"))
		<-time.After(1500 * time.Millisecond) // its second try is under way
		second := begin(t.Context(), w, put("k", "second"))
		<-first.done
		synctest.Wait()
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		leaves := begin(soon, w, put("k", "leaves"))
		third := begin(t.Context(), w, put("k", "third"))
		<-leaves.done
		require.ErrorIs(t, leaves.err, context.DeadlineExceeded)
		require.NotErrorIs(t, leaves.err, outbox.ErrContended)
		<-second.done
		<-third.done
		for _, r := range []*written{first, second, third} {
			require.NoError(t, r.err)
		}
		require.Equal(t, "load commit load commit commit commit load commit", strings.Join(ops, " "))
	})
}

// TestNobodyWaitsAnyMore: what is under way for callers that have all gone is cut.
func TestNobodyWaitsAnyMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		commits := 0
		cut := make(chan time.Duration, 1)
		s := &outboxtest.FaultyStore{Storage: &outboxtest.MemStore{}, Before: func(ctx context.Context, op, _ string) error {
			if op != "commit" {
				return nil
			}
			if commits++; commits == 1 {
				time.Sleep(time.Second)
				return nil
			}
			<-ctx.Done()
			cut <- time.Since(began)
			return &outbox.Error{Class: outbox.Ambiguous, Op: op, Err: ctx.Err()}
		}}
		w := outbox.NewWriter(s, outbox.WriterOptions{})
		first := begin(t.Context(), w, put("k", "first"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		second := begin(ctx, w, put("k", "second"))
		<-first.done
		require.NoError(t, first.err)
		<-second.done
		require.Equal(t, outbox.Ambiguous, outbox.ClassOf(second.err))
		require.Equal(t, 3*time.Second, <-cut)
	})
}
