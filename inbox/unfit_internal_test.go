package inbox

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUnfitIsOneEvent: not the one of the same number in another life of its key.
func TestUnfitIsOneEvent(t *testing.T) {
	t.Parallel()
	why := errors.New("too large")
	u := unfit{"a", 2, why}
	require.Equal(t, why, u.of(Event{Seq: 2, Incarnation: Incarnation{ID: "a"}}))
	require.NoError(t, u.of(Event{Seq: 3, Incarnation: Incarnation{ID: "a"}}))
	require.NoError(t, u.of(Event{Seq: 2, Incarnation: Incarnation{ID: "b"}}))
	require.NoError(t, unfit{}.of(Event{}))
}
