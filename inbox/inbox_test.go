package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

func event(seq int64) inbox.Event {
	return inbox.Event{Key: "k", Seq: seq, ID: fmt.Sprint("e-", seq), Type: "t", Data: json.RawMessage(fmt.Sprint(seq))}
}

// list appends each event's number to the model.
func list(model json.RawMessage, e inbox.Event) (json.RawMessage, error) {
	var seqs []int64
	if len(model) > 0 {
		if err := json.Unmarshal(model, &seqs); err != nil {
			return nil, err
		}
	}
	return json.Marshal(append(seqs, e.Seq))
}

// unable is list that cannot take one event.
func unable(seq int64, why error) func(json.RawMessage, inbox.Event) (json.RawMessage, error) {
	return func(model json.RawMessage, e inbox.Event) (json.RawMessage, error) {
		if e.Seq == seq {
			return nil, why
		}
		return list(model, e)
	}
}

func applied(t *testing.T, s inbox.Store) (seqs []int64, m inbox.Model) {
	t.Helper()
	m, err := s.Load(t.Context(), "k")
	require.NoError(t, err)
	if len(m.Data) > 0 {
		require.NoError(t, json.Unmarshal(m.Data, &seqs))
	}
	return seqs, m
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{})
		once := func(seq int64, want inbox.Outcome) {
			t.Helper()
			got, err := in.Once(t.Context(), event(seq))
			require.NoError(t, err)
			require.Equal(t, want, got, "event %d", seq)
			require.NoError(t, s.Check())
		}
		once(5, inbox.Applied) // the first event of an empty model, whose numbers begin anywhere
		once(5, inbox.Duplicate)
		once(4, inbox.Duplicate)
		once(6, inbox.Applied)
		once(9, inbox.Stored) // 7 and 8 are missing
		once(9, inbox.Duplicate)
		once(7, inbox.Applied)
		once(8, inbox.Applied) // and 9 with it
		once(9, inbox.Duplicate)
		once(12, inbox.Stored)
		time.Sleep(3*time.Minute + time.Second)
		swept, err := in.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, inbox.Swept{Keys: 1}, swept)
		once(12, inbox.Duplicate)
		once(10, inbox.Stale) // given up
		once(13, inbox.Applied)
		seqs, m := applied(t, s)
		require.Equal(t, []int64{5, 6, 7, 8, 9, 12, 13}, seqs)
		require.EqualValues(t, 2, m.Gaps)
		require.EqualValues(t, 13, m.LastSeq)
		require.Empty(t, m.Early)
	})
}

func TestManyCopiesAtOnceHaveOneEffect(t *testing.T) {
	t.Parallel()
	s := &inboxtest.MemStore{}
	in := inbox.New(s, list, inbox.Options{})
	for seq := int64(1); seq <= 5; seq++ {
		var wg sync.WaitGroup
		var effects atomic.Int64
		for range 5 {
			wg.Go(func() {
				outcome, err := in.Once(t.Context(), event(seq))
				require.NoError(t, err)
				if outcome == inbox.Applied {
					effects.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, effects.Load())
	}
	seqs, _ := applied(t, s)
	require.Equal(t, []int64{1, 2, 3, 4, 5}, seqs)
}

var away = &inbox.Transient{Op: "apply", Err: errors.New("503")}

func TestOutageIsHeld(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"load", "commit"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				attempts := 0
				s := &inboxtest.MemStore{Before: func(_ context.Context, o string) error {
					if o == op && time.Since(start) < 3*time.Minute {
						attempts++
						return away
					}
					return nil
				}}
				outcome, err := inbox.New(s, list, inbox.Options{}).Once(t.Context(), event(7)) // for 1 nothing would be read
				require.NoError(t, err)
				require.Equal(t, inbox.Applied, outcome)
				require.Greater(t, attempts, 10)
				require.Less(t, attempts, 100, "the store is probed, not hammered")
				require.Less(t, time.Since(start), 3*time.Minute+6*time.Second)
			})
		})
	}
}

// TestConflictsAreHeld: somebody else keeps changing the model, or a replica keeps showing an
// old one; neither says anything about the event.
func TestConflictsAreHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		attempts := 0
		s := &inboxtest.MemStore{Before: func(_ context.Context, op string) error {
			if op == "commit" && time.Since(start) < 3*time.Minute {
				attempts++
				return inbox.ErrConflict
			}
			return nil
		}}
		var held []inbox.Held
		outcome, err := inbox.New(s, list, inbox.Options{Observer: func(s inbox.Signal) { held = append(held, s.(inbox.Held)) }}).Once(t.Context(), event(1))
		require.NoError(t, err)
		require.Equal(t, inbox.Applied, outcome)
		require.Less(t, attempts, 100, "not without a pause")
		require.NotEmpty(t, held)
		require.ErrorIs(t, held[0].Err, inbox.ErrConflict)
	})
}

func TestHoldEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := &inboxtest.MemStore{Before: func(context.Context, string) error { return away }}
		var held int
		in := inbox.New(s, list, inbox.Options{Hold: time.Minute, Observer: func(s inbox.Signal) {
			held++
			require.Equal(t, held, s.(inbox.Held).Try)
		}})
		_, err := in.Once(t.Context(), event(1))
		require.ErrorIs(t, err, away)
		require.LessOrEqual(t, time.Since(start), time.Minute)
		require.Positive(t, held)
	})
}

func TestCallerEndsTheHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("the host is going down")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, stop)
		defer cancel()
		s := &inboxtest.MemStore{Before: func(context.Context, string) error { return away }}
		_, err := inbox.New(s, list, inbox.Options{}).Once(ctx, event(1))
		require.ErrorIs(t, err, stop)
		require.ErrorIs(t, err, away)
	})
}

func TestWishOfTheStoreIsObeyed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		first := true
		s := &inboxtest.MemStore{Before: func(context.Context, string) error {
			if first {
				first = false
				return &inbox.Transient{Op: "load", RetryAfter: 42 * time.Second, Err: errors.New("429")}
			}
			return nil
		}}
		_, err := inbox.New(s, list, inbox.Options{}).Once(t.Context(), event(1))
		require.NoError(t, err)
		require.Equal(t, 42*time.Second, time.Since(start))
	})
}

func TestLostAnswerOfApplyHasOneEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := true
		s := &inboxtest.MemStore{After: func(_ context.Context, op string) error {
			if op == "commit" && lost {
				lost = false
				return away
			}
			return nil
		}}
		outcome, err := inbox.New(s, list, inbox.Options{}).Once(t.Context(), event(1))
		require.NoError(t, err)
		require.Equal(t, inbox.Duplicate, outcome)
		seqs, _ := applied(t, s)
		require.Equal(t, []int64{1}, seqs)
	})
}

func TestApplyErrorIsPermanent(t *testing.T) {
	t.Parallel()
	s := &inboxtest.MemStore{}
	broken := errors.New("no such type")
	runs := 0
	in := inbox.New(s, func(json.RawMessage, inbox.Event) (json.RawMessage, error) { runs++; return nil, broken }, inbox.Options{})
	_, err := in.Once(t.Context(), event(1))
	require.ErrorIs(t, err, broken)
	require.Equal(t, 2, runs, "on the model that is taken to be missing, and on what was read")
	_, m := applied(t, s)
	require.Zero(t, m.LastSeq)
}

// TestAnyOrderOfCopies delivers every event 1 to 5 times, shuffled, from many
// consumers at once: all are applied in ascending order, once.
func TestAnyOrderOfCopies(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var copies []inbox.Event
		for seq := int64(1); seq <= 20; seq++ {
			for range 1 + rng.IntN(5) {
				copies = append(copies, of("a", 1, 1, seq))
			}
		}
		rng.Shuffle(len(copies), func(i, j int) { copies[i], copies[j] = copies[j], copies[i] })
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{Wait: time.Millisecond, MaxWaiting: 1 + int(seed)%3})
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for j := i; j < len(copies); j += 4 {
					_, err := in.Once(t.Context(), copies[j])
					require.NoError(t, err)
				}
			})
		}
		wg.Wait()
		seqs, m := applied(t, s)
		require.Len(t, seqs, 20, "seed %d", seed)
		require.IsIncreasing(t, seqs, "seed %d", seed)
		require.EqualValues(t, 20, m.LastSeq)
		require.Zero(t, m.Gaps)
		require.NoError(t, s.Check())
	}
}

// failing lets one operation of a store fail, as if it were away.
func failing(op string) func(context.Context, string) error {
	return func(_ context.Context, o string) error {
		if o == op {
			return away
		}
		return nil
	}
}
