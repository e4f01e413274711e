package inbox_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

// newest is an inbox behind a rule, and what it tells.
func newest(s inbox.Store) (*inbox.Inbox, *[]inbox.Signal) {
	told := &[]inbox.Signal{}
	return inbox.New(s, list, inbox.Options{Policy: inbox.Newest, MaxDeliveries: 1, Observer: func(s inbox.Signal) { *told = append(*told, s) }}), told
}

// TestNewestWaitsForNobody: what is above the model is applied at once, what is not has no effect,
// and neither a gap nor an early event is left of it.
func TestNewestWaitsForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in, told := newest(s)
		begun := time.Now()
		for _, step := range []struct {
			event inbox.Event
			want  inbox.Outcome
		}{
			{one(3), inbox.Applied}, // the first of its key that the rule lets through
			{one(3), inbox.Duplicate},
			{one(1), inbox.Duplicate},
			{one(9), inbox.Applied},
			{one(5), inbox.Duplicate}, // overtaken
			{one(10), inbox.Applied},
		} {
			expect(t, in, step.event, step.want)
		}
		seqs, m := applied(t, s)
		require.Equal(t, []int64{3, 9, 10}, seqs)
		require.EqualValues(t, 10, m.LastSeq)
		require.Zero(t, m.Gaps)
		require.Empty(t, m.Missed)
		require.Empty(t, m.Early)
		require.Zero(t, time.Since(begun))
		require.Empty(t, *told)
		sweep(t, in, inbox.Swept{})
	})
}

// TestAMarkerOvertakesNothingUnderNewest: it has no state, and the event before it has.
func TestAMarkerOvertakesNothingUnderNewest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in, told := newest(s)
		expect(t, in, marker(2), inbox.Duplicate)
		_, m := applied(t, s)
		require.Empty(t, m.Revision, "nothing is stored")
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, marker(5), inbox.Duplicate)
		expect(t, in, one(4), inbox.Applied)
		seqs, _ := applied(t, s)
		require.Equal(t, []int64{1, 4}, seqs)
		require.Empty(t, *told)
	})
}

// TestNewestFollowsIncarnations as every policy does, and counts nothing as lost.
func TestNewestFollowsIncarnations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in, told := newest(s)
		expect(t, in, of("a", 1, 1, 7), inbox.Applied)
		restored := of("b", 20, 2, 24)
		expect(t, in, restored, inbox.Applied)
		expect(t, in, of("a", 1, 1, 30), inbox.Superseded)
		seqs, m := applied(t, s)
		require.Equal(t, []int64{7, 24}, seqs)
		require.Zero(t, m.Gaps)
		require.Equal(t, inbox.Followed{Event: restored, From: of("a", 1, 1, 7).Incarnation, LastSeq: 7}, (*told)[0])
		require.IsType(t, inbox.Late{}, (*told)[1])
		require.Len(t, *told, 2)
		expect(t, in, of("c", 1, 3, 2), inbox.Applied)
		seqs, _ = applied(t, s)
		require.Equal(t, []int64{2}, seqs, "the entity's history begins anew")
	})
}

// TestNewestNotesNothingThatIsGone: nobody waits for it.
func TestNewestNotesNothingThatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in, told := newest(s)
		expect(t, in, one(1), inbox.Applied)
		require.NoError(t, in.GiveUp(t.Context(), one(3), 1))
		_, m := applied(t, s)
		require.Empty(t, m.Gone)
		require.Empty(t, *told)
	})
}

// TestNewestOverWhatAnotherPolicyHasStored: early events go, applied or overtaken.
func TestNewestOverWhatAnotherPolicyHasStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		before := inbox.New(s, list, inbox.Options{})
		expect(t, before, one(1), inbox.Applied)
		expect(t, before, one(3), inbox.Stored)
		expect(t, before, one(6), inbox.Stored)
		in, _ := newest(s)
		expect(t, in, one(4), inbox.Applied)
		time.Sleep(time.Hour)
		sweep(t, in, inbox.Swept{Keys: 1})
		seqs, m := applied(t, s)
		require.Equal(t, []int64{1, 4, 6}, seqs)
		require.Zero(t, m.Gaps)
		early, err := s.Early(t.Context(), "k", 10)
		require.NoError(t, err)
		require.Empty(t, early)
		require.NoError(t, s.Check())
	})
}

// TestNewestWhateverComes: instances, copies, orders and faults may be what they like, the model
// goes up only, and ends with the newest event that came.
func TestNewestWhateverComes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			s := faulty(rand.New(rand.NewPCG(seed, 2))) // used from the lanes
			var came []inbox.Event
			for seq := int64(1); seq <= 12; seq++ {
				e := one(seq)
				if r.IntN(4) == 0 {
					e = marker(seq)
				}
				for range r.IntN(3) { // 0: the rule has left it out
					came = append(came, e)
				}
			}
			r.Shuffle(len(came), func(i, j int) { came[i], came[j] = came[j], came[i] })
			instances := []*inbox.Inbox{}
			for range 3 {
				in, _ := newest(s)
				instances = append(instances, in)
			}
			var wg sync.WaitGroup
			var want int64
			for i, e := range came {
				if !e.Skipped() {
					want = max(want, e.Seq)
				}
				wg.Go(func() {
					if _, err := instances[i%3].Once(t.Context(), e); err != nil {
						t.Errorf("seed %d, event %d: %v", seed, e.Seq, err)
					}
				})
				if r.IntN(2) == 0 {
					wg.Wait()
				}
			}
			wg.Wait()
			synctest.Wait()
			s.Before, s.After = nil, nil
			seqs, m := applied(t, s)
			require.Equal(t, want, m.LastSeq, "seed %d", seed)
			require.True(t, slices.IsSorted(seqs) && len(slices.Compact(slices.Clone(seqs))) == len(seqs), "seed %d: %v", seed, seqs)
			require.Zero(t, m.Gaps)
			require.NoError(t, s.Check())
		})
	}
}

// faulty loses every third operation or so, or its answer.
func faulty(r *rand.Rand) *inboxtest.MemStore {
	var mu sync.Mutex
	fail := func(context.Context, string) error {
		mu.Lock()
		defer mu.Unlock()
		if r.IntN(6) == 0 {
			return &inbox.Transient{Op: "any", Err: errors.New("the store is away")}
		}
		return nil
	}
	return &inboxtest.MemStore{Before: fail, After: fail}
}
