package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

func TestCount(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	got, err := outbox.Count(t.Context(), s, time.Now(), 0, nil)
	require.NoError(t, err)
	require.Zero(t, got)

	fill(t, s, 3, "order:7")
	fill(t, s, 2, "order:8")
	fill(t, s, 1, "order:9")
	for n := range 2 {
		require.NoError(t, s.Park(t.Context(), s.Events("order:7")[n], outbox.Fault{Reason: "no", Attempts: 3}))
	}
	require.NoError(t, s.Park(t.Context(), s.Events("order:9")[0], outbox.Fault{Reason: "no", Attempts: 3, Skipped: true}))
	got, err = outbox.Count(t.Context(), s, time.Now().Add(time.Hour), 0, nil)
	require.NoError(t, err)
	require.InDelta(t, time.Hour, got.Oldest, float64(time.Minute))
	got.Oldest = 0
	require.Equal(t, outbox.Tally{Pending: 3, Parked: 2, Keys: 1, Passed: 1}, got)

	var seen []string
	_, err = outbox.Count(t.Context(), s, time.Now(), 2, func(e outbox.Event) { seen = append(seen, fmt.Sprint(e.Key, " ", e.Parked())) })
	require.NoError(t, err)
	require.Len(t, seen, 4, "as many as are counted")

	got, err = outbox.Count(t.Context(), s, time.Now(), 3, nil)
	require.NoError(t, err)
	require.False(t, got.MorePending || got.MoreParked, "three are all")
	got, err = outbox.Count(t.Context(), s, time.Now(), 2, nil)
	require.NoError(t, err)
	require.True(t, got.MorePending && got.MoreParked)
	require.Equal(t, 2, got.Pending)
	require.Equal(t, 2, got.Parked+got.Passed)
}

// shut is a desk of which the parked events cannot be searched.
type shut struct {
	*outboxtest.MemStore
	err error
}

func (s shut) Waiting(ctx context.Context, parked bool, visit func([]outbox.Event) error) error {
	if parked {
		return s.err
	}
	return s.MemStore.Waiting(ctx, parked, visit)
}

// TestCountOfWhatCannotBeSearched: the rest is counted all the same, and the error is told.
func TestCountOfWhatCannotBeSearched(t *testing.T) {
	t.Parallel()
	s := shut{&outboxtest.MemStore{}, errors.New("away")}
	fill(t, s.MemStore, 2, "order:7")
	got, err := outbox.Count(t.Context(), s, time.Now(), 0, nil)
	require.ErrorIs(t, err, s.err)
	require.Equal(t, 2, got.Pending)
}
