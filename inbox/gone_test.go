package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

// lastOf is the broker's limit here.
const lastOf = 3

// inGone runs with a fresh inbox, whose store is checked afterwards.
func inGone(t *testing.T, policy inbox.Policy, run func(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, told func() []inbox.Signal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		var mu sync.Mutex
		var signals []inbox.Signal
		in := inbox.New(s, list, inbox.Options{Policy: policy, MaxDeliveries: lastOf, Observer: func(s inbox.Signal) {
			mu.Lock()
			defer mu.Unlock()
			signals = append(signals, s)
		}})
		run(t, s, in, func() (all []inbox.Signal) {
			mu.Lock()
			defer mu.Unlock()
			all, signals = signals, nil
			return all
		})
		require.NoError(t, s.Check())
	})
}

func giveUp(t *testing.T, in *inbox.Inbox, e inbox.Event) {
	t.Helper()
	require.NoError(t, in.GiveUp(t.Context(), e, lastOf))
}

// view requires what was applied, the gaps, and which events are gone.
func view(t *testing.T, s *inboxtest.MemStore, seqs []int64, gaps int64, gone inbox.Numbers) {
	t.Helper()
	got, m := applied(t, s)
	require.Equal(t, seqs, got)
	require.Equal(t, gaps, m.Gaps)
	require.Equal(t, gone, m.Gone)
}

// TestFollowersOfAGoneEventDoNotWait: those that come later, and those that are stored.
func TestFollowersOfAGoneEventDoNotWait(t *testing.T) {
	t.Parallel()
	inGone(t, inbox.Snapshot, func(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, told func() []inbox.Signal) {
		expect(t, in, one(1), inbox.Applied)
		giveUp(t, in, one(2))
		require.Equal(t, []inbox.Signal{inbox.Gone{Event: one(2)}}, told())
		view(t, s, []int64{1}, 0, inbox.Numbers{}.With(2, 2))
		giveUp(t, in, one(2))
		require.Empty(t, told(), "it was noted before")
		expect(t, in, one(3), inbox.Applied)
		require.Equal(t, []inbox.Signal{inbox.Jumped{Event: one(3), Missing: 1}}, told())
		view(t, s, []int64{1, 3}, 1, nil)
		expect(t, in, one(2), inbox.Stale)
		require.Equal(t, []inbox.Signal{inbox.TooOld{Event: one(2), LastSeq: 3}}, told())

		expect(t, in, one(5), inbox.Stored)
		expect(t, in, one(6), inbox.Stored)
		giveUp(t, in, one(4))
		synctest.Wait()
		view(t, s, []int64{1, 3, 5, 6}, 2, nil)
	})
}

// TestANoteBeginsNothing: on a key that nothing has come of, it would decide which incarnation is
// the key's, and where its numbers begin, for an event that nobody could apply.
func TestANoteBeginsNothing(t *testing.T) {
	t.Parallel()
	inGone(t, inbox.Snapshot, func(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, told func() []inbox.Signal) {
		giveUp(t, in, of("b", 4, 2, 4)) // a later incarnation than that of those that follow
		for n := int64(1); n <= 3; n++ {
			expect(t, in, of("a", 1, 1, n), inbox.Applied)
		}
		view(t, s, []int64{1, 2, 3}, 0, nil)
		require.Empty(t, told())
	})
	inGone(t, inbox.Snapshot, func(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, told func() []inbox.Signal) {
		giveUp(t, in, of("b", 1, 2, 1)) // its history begins anew
		expect(t, in, of("a", 1, 1, 1), inbox.Applied)
		view(t, s, []int64{1}, 0, nil)
		require.Empty(t, told())
	})
	inGone(t, inbox.Snapshot, func(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, told func() []inbox.Signal) {
		giveUp(t, in, of("a", 0, 1, 5)) // nobody knows where its numbers begin
		expect(t, in, of("a", 0, 1, 4), inbox.Applied)
		view(t, s, []int64{4}, 0, nil)
		require.Empty(t, told())
	})
}

// TestTheFirstEventIsGone: those that came before the note wait no longer.
func TestTheFirstEventIsGone(t *testing.T) {
	t.Parallel()
	inGone(t, inbox.Snapshot, func(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, _ func() []inbox.Signal) {
		expect(t, in, one(2), inbox.Stored)
		giveUp(t, in, one(1))
		synctest.Wait()
		view(t, s, []int64{2}, 1, nil)
	})
}

// TestGoneBeforeANewSubscriber: who starts anywhere starts with the first event that it can apply.
func TestGoneBeforeANewSubscriber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{MaxDeliveries: lastOf, StartAnywhere: true})
		giveUp(t, in, one(57))
		expect(t, in, one(58), inbox.Applied)
		view(t, s, []int64{58}, 0, nil)
		require.NoError(t, s.Check())
	})
}

// TestGoneAheadOfItsPredecessor is remembered until its turn.
func TestGoneAheadOfItsPredecessor(t *testing.T) {
	t.Parallel()
	inGone(t, inbox.Snapshot, func(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, _ func() []inbox.Signal) {
		expect(t, in, one(4), inbox.Stored)
		giveUp(t, in, one(3))
		view(t, s, nil, 0, inbox.Numbers{}.With(3, 3))
		expect(t, in, one(1), inbox.Applied)
		view(t, s, []int64{1}, 0, inbox.Numbers{}.With(3, 3))
		giveUp(t, in, one(2))
		synctest.Wait()
		view(t, s, []int64{1, 4}, 2, nil)
	})
}

// TestAGoneEventThatComesAfterAll is applied while nothing behind it was, also an early one.
func TestAGoneEventThatComesAfterAll(t *testing.T) {
	t.Parallel()
	inGone(t, inbox.Snapshot, func(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, _ func() []inbox.Signal) {
		expect(t, in, one(1), inbox.Applied)
		giveUp(t, in, one(2))
		expect(t, in, one(2), inbox.Applied)
		giveUp(t, in, one(2)) // applied: nothing to note
		view(t, s, []int64{1, 2}, 0, nil)
		giveUp(t, in, one(4))
		expect(t, in, one(4), inbox.Stored)
		giveUp(t, in, one(4)) // it is here
		view(t, s, []int64{1, 2}, 0, nil)
		expect(t, in, one(5), inbox.Stored)
		expect(t, in, one(3), inbox.Applied)
		view(t, s, []int64{1, 2, 3, 4, 5}, 0, nil)
	})
}

// TestWhenNothingIsNoted: on a delivery that is not the last, under Strict, and for another
// incarnation than the model's.
func TestWhenNothingIsNoted(t *testing.T) {
	t.Parallel()
	inGone(t, inbox.Snapshot, func(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, told func() []inbox.Signal) {
		expect(t, in, one(1), inbox.Applied)
		require.NoError(t, in.GiveUp(t.Context(), one(2), lastOf-1))
		giveUp(t, in, of("b", 2, 1, 1))
		expect(t, in, marker(3), inbox.Stored)
		giveUp(t, in, one(2))
		view(t, s, []int64{1}, 0, inbox.Numbers{}.With(2, 2)) // the marker has no state to go on with
		require.NotEmpty(t, told())
	})
	inGone(t, inbox.Strict, func(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, told func() []inbox.Signal) {
		expect(t, in, one(1), inbox.Applied)
		giveUp(t, in, one(2))
		require.Empty(t, told())
		expect(t, in, one(3), inbox.Stored)
		view(t, s, []int64{1}, 0, nil)
		expect(t, in, one(2), inbox.Applied)
		view(t, s, []int64{1, 2, 3}, 0, nil)
	})
}

// TestStrictWaitsForWhatSnapshotHasNoted: the policy may change.
func TestStrictWaitsForWhatSnapshotHasNoted(t *testing.T) {
	t.Parallel()
	inGone(t, inbox.Snapshot, func(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, _ func() []inbox.Signal) {
		expect(t, in, one(1), inbox.Applied)
		giveUp(t, in, one(2))
		strict := inbox.New(s, list, inbox.Options{Policy: inbox.Strict, MaxDeliveries: lastOf})
		expect(t, strict, one(3), inbox.Stored)
		expect(t, strict, one(2), inbox.Applied)
		view(t, s, []int64{1, 2, 3}, 0, nil)
	})
}

// TestTheNoteHoldsNobodyUp while the store is away.
func TestTheNoteHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := &inbox.Transient{Op: "load", Err: errors.New("away")}
		s := &inboxtest.MemStore{Before: func(context.Context, string) error { return away }}
		in := inbox.New(s, list, inbox.Options{MaxDeliveries: lastOf})
		begun := time.Now()
		require.ErrorIs(t, in.GiveUp(t.Context(), one(2), lastOf), away)
		require.LessOrEqual(t, time.Since(begun), 3*time.Second)
	})
}

// TestGoneAmongMany: all at the same time, on two instances, and every event counts once.
func TestGoneAmongMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		opts := inbox.Options{MaxDeliveries: lastOf}
		instances := []*inbox.Inbox{inbox.New(s, list, opts), inbox.New(s, list, opts)}
		const events = 30
		expect(t, instances[0], one(1), inbox.Applied) // else the notes that come first are not made
		var wg sync.WaitGroup
		for seq := int64(2); seq <= events; seq++ {
			wg.Go(func() {
				if seq%3 == 0 && seq < events {
					_ = instances[seq%2].GiveUp(t.Context(), one(seq), lastOf)
					return
				}
				_, err := instances[seq%2].Once(t.Context(), one(seq))
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		seqs, m := applied(t, s)
		require.Len(t, seqs, events*2/3+1)
		require.IsIncreasing(t, seqs)
		require.EqualValues(t, events/3-1, m.Gaps)
		require.Empty(t, m.Early)
		require.Empty(t, m.Gone)
		require.NoError(t, s.Check())
	})
}

// applies is a store that knows which events have had their effects, whatever became of the
// model since.
type applies struct {
	*inboxtest.MemStore
	seen map[string]bool
}

func (s *applies) Commit(ctx context.Context, c inbox.Change) (string, error) {
	revision, err := s.MemStore.Commit(ctx, c)
	if err == nil && len(c.Model.Data) > 0 {
		var ids []string
		if err := json.Unmarshal(c.Model.Data, &ids); err != nil {
			return "", err
		}
		for _, id := range ids {
			s.seen[id] = true
		}
	}
	return revision, err
}

// TestNotesTakeNothing: deliveries in any order of two incarnations of a key, some of them of events
// that nobody can apply, do with notes what they do without: whatever has an effect without them
// has it with them. The wait for the predecessors is over in the end.
func TestNotesTakeNothing(t *testing.T) {
	t.Parallel()
	later := 0 // seeds of which more has an effect
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		first := []int64{0, 1, 1, 7}[rng.IntN(4)] // of the earlier one; 0: nobody tells
		next := []int64{1, first + 6}[rng.IntN(2)]
		var deliveries []inbox.Event
		for n := range int64(6) {
			deliveries = append(deliveries, of("a", first, 1, max(1, first)+n), of("b", next, 2, max(1, next)+n))
		}
		reach := 1 + rng.IntN(len(deliveries))
		for i := range deliveries {
			j := min(len(deliveries)-1, i+rng.IntN(reach))
			deliveries[i], deliveries[j] = deliveries[j], deliveries[i]
		}
		bad := map[string]bool{}
		for range 1 + rng.IntN(4) {
			bad[deliveries[rng.IntN(len(deliveries))].ID] = true
		}
		anywhere := rng.IntN(4) == 0
		effects := func(limit int) map[string]bool {
			s := &applies{&inboxtest.MemStore{}, map[string]bool{}}
			synctest.Test(t, func(t *testing.T) {
				apply := func(model json.RawMessage, e inbox.Event) (json.RawMessage, error) {
					var ids []string
					if len(model) > 0 {
						if err := json.Unmarshal(model, &ids); err != nil {
							return nil, err
						}
					}
					return json.Marshal(append(ids, e.ID))
				}
				boxes := []*inbox.Inbox{}
				for range 2 {
					boxes = append(boxes, inbox.New(s, apply, inbox.Options{MaxDeliveries: limit, StartAnywhere: anywhere, Wait: time.Millisecond}))
				}
				for n, e := range deliveries {
					in := boxes[n%2]
					if bad[e.ID] {
						require.NoError(t, in.GiveUp(t.Context(), e, lastOf))
						continue
					}
					_, err := in.Once(t.Context(), e)
					require.NoError(t, err)
					synctest.Wait()
				}
				for range 8 {
					time.Sleep(time.Hour)
					_, err := boxes[0].Sweep(t.Context())
					require.NoError(t, err)
				}
				require.NoError(t, s.Check())
			})
			return s.seen
		}
		without, with := effects(0), effects(lastOf)
		for id := range without {
			require.True(t, with[id], "seed %d: %s of %v has no effect for a note of %v", seed, id, ids(deliveries), bad)
		}
		if len(with) > len(without) {
			later++
		}
	}
	require.Positive(t, later, "nor do notes do nothing")
}

func ids(all []inbox.Event) (list []string) {
	for _, e := range all {
		list = append(list, e.ID)
	}
	return list
}
