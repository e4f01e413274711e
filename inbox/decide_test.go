package inbox_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

func TestTexts(t *testing.T) {
	t.Parallel()
	var none inbox.Outcome
	for outcome, text := range map[inbox.Outcome]string{
		none: "none", inbox.Applied: "applied", inbox.Duplicate: "duplicate", inbox.Stale: "stale", inbox.Superseded: "superseded",
		inbox.Superseded + 1: "none", none - 1: "none",
	} {
		require.Equal(t, text, outcome.String())
	}
	require.EqualError(t, &inbox.GapError{Key: "k", LastSeq: 3, Seq: 7}, `event 7 of "k" came before event 4`)
}

// TestATwinIsFaster: between our load and our commit another consumer applies the event.
func TestATwinIsFaster(t *testing.T) {
	t.Parallel()
	s := &inboxtest.MemStore{}
	twin := inbox.New(s, list, inbox.Options{})
	met := false
	s.Before = func(ctx context.Context, op string) error {
		if op == "apply" && !met {
			met = true
			_, err := twin.Once(ctx, event(1))
			return err
		}
		return nil
	}
	outcome, err := inbox.New(s, list, inbox.Options{}).Once(t.Context(), event(1))
	require.NoError(t, err)
	require.Equal(t, inbox.Duplicate, outcome)
	seqs, _ := applied(t, s)
	require.Equal(t, []int64{1}, seqs)
}

// conflicting refuses the first n commits.
func conflicting(n int) *inboxtest.MemStore {
	return &inboxtest.MemStore{Before: func(_ context.Context, op string) error {
		if op == "apply" && n > 0 {
			n--
			return inbox.ErrConflict
		}
		return nil
	}}
}

// TestAFewConflictsAreNoOutage: those in each other's way part for a moment, and nobody is
// told.
func TestAFewConflictsAreNoOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		in := inbox.New(conflicting(20), list, inbox.Options{Observer: func(s inbox.Signal) { t.Errorf("%#v", s) }})
		outcome, err := in.Once(t.Context(), event(1))
		require.NoError(t, err)
		require.Equal(t, inbox.Applied, outcome)
		require.Positive(t, time.Since(begun))
	})
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("the host is going down")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, stop)
		defer cancel()
		_, err := inbox.New(conflicting(1000), list, inbox.Options{}).Once(ctx, event(1))
		require.ErrorIs(t, err, stop)
	})
}

func TestGapsAreToldOf(t *testing.T) {
	t.Parallel()
	var told []inbox.Signal
	in := inbox.New(&inboxtest.MemStore{}, list, inbox.Options{Observer: func(s inbox.Signal) { told = append(told, s) }})
	for _, e := range []inbox.Event{of("a", 1, 1, 1), of("a", 1, 1, 2), of("a", 1, 1, 5), of("b", 1, 2, 2)} {
		_, err := in.Once(t.Context(), e)
		require.NoError(t, err)
	}
	require.Equal(t, []inbox.Signal{
		inbox.Jumped{Event: of("a", 1, 1, 5), Missing: 2},
		inbox.Followed{Event: of("b", 1, 2, 2), From: of("a", 1, 1, 5).Incarnation, LastSeq: 5},
		inbox.Jumped{Event: of("b", 1, 2, 2), Missing: 1},
	}, told)
}

// TestStrictBeginsInMidStream: an empty model has nothing to wait for.
func TestStrictBeginsInMidStream(t *testing.T) {
	t.Parallel()
	in := inbox.New(&inboxtest.MemStore{}, list, inbox.Options{Policy: inbox.Strict, Hold: time.Millisecond})
	outcome, err := in.Once(t.Context(), of("a", 1, 1, 4))
	require.NoError(t, err)
	require.Equal(t, inbox.Applied, outcome)
}
