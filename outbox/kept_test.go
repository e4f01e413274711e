package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// noted is a store that notes what it is asked for.
type noted struct {
	outboxtest.FaultyStore
	mu  sync.Mutex
	ops []string // guarded by mu
	// fault is asked ahead of each operation, once it is noted.
	fault func(op string) error
}

func note(s outboxtest.Storage) *noted {
	n := &noted{FaultyStore: outboxtest.FaultyStore{Storage: s}}
	n.Before = func(_ context.Context, op, _ string) error {
		n.mu.Lock()
		n.ops = append(n.ops, op)
		n.mu.Unlock()
		if n.fault != nil {
			return n.fault(op)
		}
		return nil
	}
	return n
}

// took is what the store was asked for since the last call of took.
func (n *noted) took() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	ops := strings.Join(n.ops, " ")
	n.ops = nil
	return ops
}

// alone writes, and waits until the writer has nothing to do: a request that comes sooner may go on
// with what the one before it has shown.
func alone(t *testing.T, w *outbox.Writer, req outbox.Request) outbox.Answer {
	t.Helper()
	answer := must(t, w, req)
	synctest.Wait()
	return answer
}

// warm returns a writer that bets on k, which holds "there".
func warm(t *testing.T, s *noted, opts outbox.WriterOptions) *outbox.Writer {
	w := outbox.NewWriter(s, opts)
	alone(t, w, put("k", "here"))
	alone(t, w, put("k", "there"))
	s.took()
	return w
}

func TestAWarmWriteIsOneCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		s := note(mem)
		w := outbox.NewWriter(s, outbox.WriterOptions{})
		alone(t, w, put("k", "1"))
		require.Equal(t, "load place commit", s.took())
		alone(t, w, put("k", "2"))
		require.Equal(t, "load commit", s.took(), "no read has shown yet where it lies")
		require.Equal(t, `"3"`, alone(t, w, put("k", "3")).ETag)
		require.Equal(t, `"3"`, alone(t, w, put("k", "3")).ETag)
		alone(t, w, keyed(put("k", "4"), "id", "h"))
		require.Equal(t, "commit commit commit", s.took(), "whatever it answers, and no receipt is read")
		alone(t, w, keyed(put("k", "4"), "id", "h"))
		require.Equal(t, "commit receipt", s.took(), "but one that is there")
		alone(t, w, put("other", "1"))
		s.took()
		alone(t, w, put("other", "2"))
		require.Equal(t, "commit", s.took(), "a read of any entity vouches for the container")
		require.Len(t, mem.Events("k"), 4)

		off := outbox.NewWriter(s, outbox.WriterOptions{CacheBytes: -1})
		for range 3 {
			alone(t, off, put("k", "off"))
		}
		require.Equal(t, "load commit load commit load commit", s.took())
	})
}

// TestAnUnknownKeyIsNew, is the bet where the ones before it were: no read comes before its commit.
func TestAnUnknownKeyIsNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		s := note(mem)
		w := outbox.NewWriter(s, outbox.WriterOptions{})
		off := outbox.NewWriter(s, outbox.WriterOptions{CacheBytes: -1})
		add := func(key string) string { alone(t, w, put(key, "new")); return s.took() }
		for _, key := range []string{"a", "b", "c", "d"} {
			require.Equal(t, "load place commit", add(key))
			alone(t, off, put("off "+key, "new"))
			s.took()
		}
		require.Equal(t, "place commit", add("e"))
		require.Equal(t, "place commit", add("f"))
		require.Equal(t, `"1"`, must(t, w, put("g", "new")).ETag)
		require.Len(t, mem.Events("g"), 1)
		alone(t, off, put("off e", "new"))
		require.Equal(t, "place commit load place commit", s.took(), "who keeps nothing bets on nothing")

		alone(t, off, put("there", "by another process"))
		s.took()
		answer := alone(t, w, put("there", "by another process"))
		require.Equal(t, "place commit load commit", s.took())
		require.Equal(t, `"1"`, answer.ETag, "it was decided on what is stored")
		require.Len(t, mem.Events("there"), 1)

		_, err := w.Write(t.Context(), outbox.Request{Key: "nowhere", Decide: func(e outbox.Entity) (outbox.Decision, error) {
			return outbox.Decision{}, errors.New("there is none")
		}})
		require.EqualError(t, err, "there is none")
		require.Equal(t, "load", s.took(), "what is refused was looked for")
	})
}

// TestBetsOnNewKeysEnd with the keys that are new, and begin with them again.
func TestBetsOnNewKeysEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := note(&outboxtest.MemStore{})
		w, other := outbox.NewWriter(s, outbox.WriterOptions{}), outbox.NewWriter(s.Storage, outbox.WriterOptions{})
		bets := func(key string, there bool) bool {
			if there {
				alone(t, other, put(key, "old"))
			}
			s.took()
			alone(t, w, put(key, "new"))
			return strings.HasPrefix(s.took(), "place commit")
		}
		n := 0
		run := func(there bool, of int) (won int) {
			for range of {
				n++
				if bets(fmt.Sprint("k", n), there) {
					won++
				}
			}
			return won
		}
		require.Equal(t, 16, run(false, 20))
		require.LessOrEqual(t, run(true, 100), 2, "no more are lost than that")
		require.Equal(t, 38, run(false, 50), "twelve of them were read")
	})
}

// TestALostBetIsReadAnew at once: nobody else was faster than a request of this process, so
// nothing counts against it.
func TestALostBetIsReadAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := note(&outboxtest.MemStore{})
		w := warm(t, s, outbox.WriterOptions{})
		other := outbox.NewWriter(s.Storage, outbox.WriterOptions{})
		alone(t, other, put("k", "other"))
		began := time.Now()
		answer := alone(t, w, put("k", "other"))
		require.Equal(t, `"3"`, answer.ETag, "it was decided on what is stored")
		require.Equal(t, "commit load commit", s.took())
		require.Zero(t, time.Since(began))

		alone(t, w, put("k", "mine"))
		require.Equal(t, "load commit", s.took(), "somebody else writes it")
		alone(t, w, put("k", "mine, too"))
		require.Equal(t, "commit", s.took(), "and does no longer")

		alone(t, other, put("k", "other"))
		s.fault = func(op string) error {
			if op == "load" {
				return &outbox.Error{Class: outbox.Timeout, Op: op}
			}
			return nil
		}
		_, err := w.Write(t.Context(), put("k", "mine"))
		require.Equal(t, outbox.Timeout, outbox.ClassOf(err))
		require.NotErrorIs(t, err, outbox.ErrContended)
		s.fault = nil
		s.took()
		alone(t, w, put("k", "mine"))
		require.Equal(t, "load commit", s.took(), "what is known to be old is not bet on again")
	})
}

// TestAReplicaLagsBehindALostBet: it shows what was bet on.
func TestAReplicaLagsBehindALostBet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		replica := lag(mem)
		replica.current.Store(true)
		s := note(replica)
		w := warm(t, s, outbox.WriterOptions{})
		replica.old = mem.Copy()
		replica.current.Store(false)
		alone(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", "other"))
		began := time.Now()
		require.Equal(t, `"4"`, alone(t, w, put("k", "mine")).ETag)
		require.Equal(t, "commit load barrier load commit", s.took())
		require.Zero(t, time.Since(began))
	})
}

// TestNoEndWithoutACommitRestsOnWhatIsKept: what another process has stored allows what was
// kept did not.
func TestNoEndWithoutACommitRestsOnWhatIsKept(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 3000)
	unless := func(end func() error) func(outbox.Entity) (outbox.Decision, error) {
		return func(cur outbox.Entity) (outbox.Decision, error) {
			if string(cur.Data) != `"other"` {
				if err := end(); err != nil {
					return outbox.Decision{}, err
				}
			}
			return outbox.Decision{Status: 200, Data: []byte(`"mine"`), Events: []outbox.Draft{{Type: "t", Data: "mine"}}}, nil
		}
	}
	for name, test := range map[string]struct {
		took   string
		decide func(outbox.Entity) (outbox.Decision, error)
	}{
		"an error": {"load commit", unless(func() error { return errors.New("unreadable") })},
		"a panic":  {"load commit", unless(func() error { panic("unreadable") })},
		"a large event": {"load commit", func(cur outbox.Entity) (outbox.Decision, error) {
			data := "mine"
			if string(cur.Data) != `"other"` {
				data = large
			}
			return outbox.Decision{Status: 200, Data: []byte(`"mine"`), Events: []outbox.Draft{{Type: "t", Data: data}}}, nil
		}},
		"a bad batch": {"commit load commit", func(cur outbox.Entity) (outbox.Decision, error) {
			d := outbox.Decision{Status: 200, Data: []byte(`"mine"`), Events: []outbox.Draft{{Type: "bad", Data: 1}}}
			if string(cur.Data) == `"other"` {
				d.Events[0].Type = "good"
			}
			return d, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := note(&batches{Storage: &outboxtest.MemStore{}})
				w := warm(t, s, outbox.WriterOptions{MaxEventBytes: 2000})
				alone(t, outbox.NewWriter(s.Storage, outbox.WriterOptions{}), put("k", "other"))
				req := put("k", "mine")
				req.Decide = test.decide
				answer := alone(t, w, req)
				require.Equal(t, `"4"`, answer.ETag)
				require.Equal(t, test.took, s.took())
			})
		})
	}
}

// TestACopyOfTheContainerIsNoticed although its documents have the revisions that were kept.
func TestACopyOfTheContainerIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		w := warm(t, note(mem), outbox.WriterOptions{})
		before := entity(t, mem, "k").Incarnation
		alone(t, w, put("k", "bet"))
		mem.Restore(mem)
		time.Sleep(5*time.Second + 1)
		alone(t, w, put("k", "other"))
		require.NotEqual(t, before.ID, entity(t, mem, "k").Incarnation.ID)
	})
}

// TestDoubtIsNotBetOn: after a batch of which nobody knows whether it was stored.
func TestDoubtIsNotBetOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := note(&outboxtest.MemStore{})
		w := warm(t, s, outbox.WriterOptions{})
		away := true
		s.fault = func(op string) error {
			switch {
			case op == "commit" && away:
				return lost
			case op == "barrier":
				return &outbox.Error{Class: outbox.Unavailable, Op: op}
			}
			return nil
		}
		_, err := w.Write(t.Context(), put("k", "lost"))
		require.Equal(t, outbox.Ambiguous, outbox.ClassOf(err))
		synctest.Wait()
		away = false
		s.took()
		alone(t, outbox.NewWriter(s.Storage, outbox.WriterOptions{}), put("k", "other"))
		alone(t, w, put("other", "1")) // a read that vouches for the container
		alone(t, w, put("other", "2"))
		s.took()
		alone(t, w, put("k", "next"))
		require.Equal(t, "load commit", s.took())
		alone(t, w, put("k", "and on"))
		require.Equal(t, "commit", s.took())
	})
}

// TestWhatWasReplacedSinceIsNotBetOn: others write it, as a receipt has shown.
func TestWhatWasReplacedSinceIsNotBetOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := note(&outboxtest.MemStore{})
		w := warm(t, s, outbox.WriterOptions{})
		s.After = firstCommit(func() error {
			must(t, outbox.NewWriter(s.Storage, outbox.WriterOptions{}), put("k", "other"))
			return lost
		})
		alone(t, w, keyed(put("k", "mine"), "id", "h"))
		s.took()
		alone(t, w, put("k", "next"))
		alone(t, w, put("k", "and on"))
		require.Equal(t, "load commit load commit", s.took())
		alone(t, w, put("k", "and on and on"))
		require.Equal(t, "commit", s.took())
	})
}

// TestALargeEntityIsNotKept: it would take the place of too many others.
func TestALargeEntityIsNotKept(t *testing.T) {
	t.Parallel()
	for size, took := range map[int]string{100: "commit", 3000: "load commit"} {
		synctest.Test(t, func(t *testing.T) {
			s := note(&outboxtest.MemStore{})
			w := outbox.NewWriter(s, outbox.WriterOptions{CacheBytes: 16_000})
			for _, text := range []string{"a", "b", "c"} {
				s.took()
				alone(t, w, put("k", strings.Repeat(text, size)))
			}
			require.Equal(t, took, s.took(), "%d bytes", size)
		})
	}
}

// twoPlaces is a store with a container for each of two kinds of keys.
type twoPlaces struct{ *outboxtest.MemStore }

func (s twoPlaces) Place(_ context.Context, key string) (outbox.Place, error) {
	return outbox.Place{ID: key[:1]}, nil
}

func (s twoPlaces) Load(ctx context.Context, key string) (outbox.Entity, error) {
	e, err := s.MemStore.Load(ctx, key)
	e.Moved = false
	return e, err
}

// TestAReadVouchesForItsContainer, for no other, and takes nothing from others.
func TestAReadVouchesForItsContainer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := note(twoPlaces{&outboxtest.MemStore{}})
		w := outbox.NewWriter(s, outbox.WriterOptions{})
		for _, key := range []string{"a", "b", "b"} {
			alone(t, w, put(key, "1"))
		}
		s.took()
		alone(t, w, put("a", "2"))
		require.Equal(t, "load commit", s.took(), "no read has shown it yet")
		alone(t, w, put("b", "2"))
		require.Equal(t, "commit", s.took())
	})
}

// TestAMovedEntityVouchesForNothing: what a read shows that was last written in the container of
// which this one is a copy.
func TestAMovedEntityVouchesForNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		w := warm(t, note(mem), outbox.WriterOptions{})
		fill(t, mem, 1, "moved")
		before := entity(t, mem, "k").Incarnation
		mem.Restore(mem)
		time.Sleep(5*time.Second + 1)
		alone(t, w, put("moved", "x"))
		alone(t, w, put("k", "other"))
		require.NotEqual(t, before.ID, entity(t, mem, "k").Incarnation.ID)
	})
}
