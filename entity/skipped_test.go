package entity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// TestMarkersOfBothSidesAreOne: package inbox knows nothing of package outbox.
func TestMarkersOfBothSidesAreOne(t *testing.T) {
	t.Parallel()
	require.Equal(t, outbox.SkippedType, inbox.SkippedType)
}

// TestAMarkerIsOfItsEntity: it is let through without a name of the kind, and with all the
// checks of whose it is.
func TestAMarkerIsOfItsEntity(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	marker := map[string]any{"type": inbox.SkippedType, "data": map[string]any{"id": "d", "skipped": map[string]any{"event": "e"}}}
	e, err := h.kinds.Event(event(t, marker), "")
	require.NoError(t, err)
	require.True(t, e.Skipped())
	require.Nil(t, e.Decoded)
	for name, row := range map[string]struct {
		part, value string
		want        inbox.Reason
	}{
		"another kind's source": {"source", "/relaybox/cat", entity.Disagreement},
		"another subject":       {"subject", "x", entity.Disagreement},
		"no kind":               {"partitionkey", "d", entity.Disagreement},
		"no id":                 {"sequence", "none", inbox.BadSequence},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := map[string]any{"type": inbox.SkippedType, row.part: row.value}
			_, err := h.kinds.Event(event(t, parts), "")
			require.Equal(t, row.want, inbox.ReasonOf(err), "%v", err)
		})
	}
}
