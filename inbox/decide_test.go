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
		none: "none", inbox.Applied: "applied", inbox.Duplicate: "duplicate", inbox.Stale: "stale", inbox.Superseded: "superseded", inbox.Stored: "stored",
		inbox.Stored + 1: "none", none - 1: "none",
	} {
		require.Equal(t, text, outcome.String())
	}
}

// TestATwinIsFaster: between our load and our commit another consumer applies the event.
func TestATwinIsFaster(t *testing.T) {
	t.Parallel()
	s := &inboxtest.MemStore{}
	twin := inbox.New(s, list, inbox.Options{})
	met := false
	s.Before = func(ctx context.Context, op string) error {
		if op == "commit" && !met {
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
		if op == "commit" && n > 0 {
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
		begun := time.Now() // a bet that is lost, and 20 in a row
		in := inbox.New(conflicting(21), list, inbox.Options{Observer: func(s inbox.Signal) { t.Errorf("%#v", s) }})
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
