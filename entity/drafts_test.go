package entity

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUndeclaredEvent: a change whose event nobody could consume is not stored.
func TestUndeclaredEvent(t *testing.T) {
	t.Parallel()
	type lamp struct{}
	k := Kind[lamp, None]{Name: "lamp", Changes: func(_, _ *lamp) []Event { return []Event{{Name: "lit"}} }}
	_, err := k.drafts("hall", nil, &lamp{}, nil)
	require.EqualError(t, err, `kind "lamp": Changes returns the event "lit", which Events does not declare: add it to the kind's Events`)
	k.Events = map[string]any{"lit": nil}
	drafts, err := k.drafts("hall", nil, &lamp{}, nil)
	require.NoError(t, err)
	require.Equal(t, "relaybox.lamp.lit", drafts[0].Type)
}
