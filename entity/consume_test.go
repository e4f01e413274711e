package entity_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/inbox"
)

// heard is a door that keeps what its Apply is told.
func heard(changes *[]entity.Change[Door]) entity.Kind[Door, Count] {
	k := door()
	k.Apply = func(v Count, c entity.Change[Door]) (Count, error) {
		*changes = append(*changes, c)
		return v, nil
	}
	return k
}

func TestWhatApplyIsTold(t *testing.T) {
	t.Parallel()
	var changes []entity.Change[Door]
	h := build(t, map[string]resource{"doors": heard(&changes)})
	for _, body := range [][]byte{
		event(t, map[string]any{"data": map[string]any{"id": "d", "state": map[string]any{"name": "Front"}, "detail": map[string]any{"by": "Ann"}}}),
		event(t, map[string]any{"sequence": "00000000000000000002", "type": "relaybox.door.deleted", "data": map[string]any{"id": "d", "state": nil}}),
	} {
		e, err := h.kinds.Event(body, "")
		require.NoError(t, err)
		_, err = h.kinds.Apply(nil, e)
		require.NoError(t, err)
	}
	at := time.Date(2026, 8, 7, 10, 0, 0, 0, time.UTC)
	require.Equal(t, []entity.Change[Door]{
		{ID: "d", Name: "created", State: &Door{Name: "Front"}, Detail: json.RawMessage(`{"by":"Ann"}`), Seq: 1, Time: at},
		{ID: "d", Name: "deleted", Seq: 2, Time: at},
	}, changes)
}

// TestAnEventThatCameAnotherWay: who calls Apply with what inbox.Decode returns gets the same
// view, and the same refusal.
func TestAnEventThatCameAnotherWay(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	e, err := h.kinds.Event(event(t, nil), "")
	require.NoError(t, err)
	want, err := h.kinds.Apply(nil, e)
	require.NoError(t, err)

	e, err = inbox.Decode(event(t, nil))
	require.NoError(t, err)
	got, err := h.kinds.Apply(nil, e)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))

	e, err = inbox.Decode(event(t, map[string]any{"data": "text"}))
	require.NoError(t, err)
	_, err = h.kinds.Apply(nil, e)
	require.Equal(t, entity.BadData, inbox.ReasonOf(err))

	e, err = inbox.Decode(event(t, map[string]any{"partitionkey": "cat:d"}))
	require.NoError(t, err)
	_, err = h.kinds.Apply(nil, e)
	require.Equal(t, entity.UnknownKind, inbox.ReasonOf(err))

	e, err = inbox.Decode(event(t, nil))
	require.NoError(t, err)
	e.Decoded = 7
	_, err = h.kinds.Apply(nil, e)
	require.ErrorContains(t, err, "was read by something else than the kind door")
}

// TestAViewThatCannotBeRead is the store's fault, or a stranger's, and not the event's: it is
// not refused for ever.
func TestAViewThatCannotBeRead(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	e, err := h.kinds.Event(event(t, nil), "")
	require.NoError(t, err)
	for _, model := range []string{`[]`, `{"id":7}`, `{"id":"d","view":[]}`, `{"id":"d","view":{"seen":7}}`} {
		_, err = h.kinds.Apply(json.RawMessage(model), e)
		require.ErrorContains(t, err, "stored view", model)
		require.Empty(t, inbox.ReasonOf(err), model)
	}
}

// TestAKindWithoutApplyKeepsTheView that a version with one has made.
func TestAKindWithoutApplyKeepsTheView(t *testing.T) {
	t.Parallel()
	k := door()
	k.Apply = nil
	h := build(t, map[string]resource{"doors": k})
	e, err := h.kinds.Event(event(t, nil), "")
	require.NoError(t, err)
	got, err := h.kinds.Apply(json.RawMessage(`{"id":"d","state":null,"view":{"seen":{"created":1}}}`), e)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"d","state":{"name":"Front"},"view":{"seen":{"created":1}}}`, string(got))
}

// Weight is a view that JSON may not hold.
type Weight struct {
	Kilograms float64 `json:"kilograms"`
}

// TestAViewThatCannotBeStored fails, whether there was one before or not.
func TestAViewThatCannotBeStored(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": entity.Kind[Door, Weight]{
		Name:  "door",
		Apply: func(Weight, entity.Change[Door]) (Weight, error) { return Weight{math.NaN()}, nil },
	}})
	e, err := h.kinds.Event(event(t, nil), "")
	require.NoError(t, err)
	for _, model := range []string{``, `{"id":"d","view":{"kilograms":1}}`} {
		_, err = h.kinds.Apply(json.RawMessage(model), e)
		var unsupported *json.UnsupportedValueError
		require.True(t, errors.As(err, &unsupported), "%v", err)
	}
}
