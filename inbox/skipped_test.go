package inbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

// marker stands in the place of event seq.
func marker(seq int64) inbox.Event {
	e := one(seq)
	e.ID, e.Type = e.ID+"-skipped", inbox.SkippedType
	return e
}

// TestAMarkerCountsAndChangesNothing, wherever it stands: at the beginning of a key, between
// events, before its turn, twice, and after the event that it stands for was applied.
func TestAMarkerCountsAndChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		var told []inbox.Signal
		in := inbox.New(s, list, inbox.Options{Policy: inbox.Strict, Observer: func(s inbox.Signal) {
			if _, ok := s.(inbox.Skipped); ok {
				told = append(told, s)
			}
		}})
		expect(t, in, marker(1), inbox.Applied)
		seqs, m := applied(t, s)
		require.Empty(t, seqs)
		require.EqualValues(t, 1, m.LastSeq)
		expect(t, in, one(2), inbox.Applied)
		expect(t, in, marker(4), inbox.Stored)
		expect(t, in, one(5), inbox.Stored)
		expect(t, in, one(3), inbox.Applied) // and what follows
		expect(t, in, marker(4), inbox.Duplicate)
		expect(t, in, one(4), inbox.Duplicate)
		expect(t, in, marker(2), inbox.Duplicate)
		expect(t, in, one(6), inbox.Applied)
		seqs, m = applied(t, s)
		require.Equal(t, []int64{2, 3, 5, 6}, seqs)
		require.Zero(t, m.Gaps, "nothing is missing")
		require.EqualValues(t, 6, m.LastSeq)
		require.Equal(t, []inbox.Signal{inbox.Skipped{Event: marker(1)}, inbox.Skipped{Event: marker(4)}}, told)
		require.NoError(t, s.Check())
	})
}

// TestAMarkerEndsTheWaitOfItsFollowers, under both policies, and counts no gap.
func TestAMarkerEndsTheWaitOfItsFollowers(t *testing.T) {
	t.Parallel()
	for _, policy := range []inbox.Policy{inbox.Snapshot, inbox.Strict} {
		synctest.Test(t, func(t *testing.T) {
			s := &inboxtest.MemStore{}
			in := inbox.New(s, list, inbox.Options{Policy: policy, EarlyWait: time.Minute})
			expect(t, in, one(1), inbox.Applied)
			expect(t, in, one(3), inbox.Stored)
			time.Sleep(50 * time.Second)
			expect(t, in, marker(2), inbox.Applied)
			time.Sleep(time.Minute)
			sweep(t, in, inbox.Swept{})
			seqs, m := applied(t, s)
			require.Equal(t, []int64{1, 3}, seqs)
			require.Zero(t, m.Gaps)
			require.Empty(t, m.Early)
		})
	}
}

// TestAMarkerJumpsNoGap: it has no state to go on with. An event behind it has, and takes it along.
func TestAMarkerJumpsNoGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		var told []inbox.Signal
		in := inbox.New(s, list, inbox.Options{EarlyWait: time.Minute, Observer: func(s inbox.Signal) { told = append(told, s) }})
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, marker(3), inbox.Stored)
		time.Sleep(70 * time.Second)
		told = nil
		sweep(t, in, inbox.Swept{Keys: 1, Blocked: 1})
		require.Len(t, told, 1)
		require.EqualValues(t, 2, told[0].(inbox.Blocked).For)
		expect(t, in, one(2), inbox.Applied) // and the marker
		seqs, m := applied(t, s)
		require.Equal(t, []int64{1, 2}, seqs)
		require.EqualValues(t, 3, m.LastSeq)
		require.Zero(t, m.Gaps)

		expect(t, in, marker(5), inbox.Stored)
		expect(t, in, one(6), inbox.Stored)
		time.Sleep(70 * time.Second)
		_, err := in.Sweep(t.Context())
		require.NoError(t, err)
		seqs, m = applied(t, s)
		require.Equal(t, []int64{1, 2, 6}, seqs)
		_, err = in.Sweep(t.Context())
		require.NoError(t, err)
		require.NoError(t, s.Check())
		early, err := s.Early(t.Context(), "k", 10)
		require.NoError(t, err)
		require.Empty(t, early, "the marker has gone, too")
	})
}
