package cosmos

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// TestDocumentsAreWhole: what is written beside encoding/json is read back by it.
func TestDocumentsAreWhole(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, data := range []string{``, `{}`, `{"a":"<&>é\u2028"}`, ` {"a" : 1} `, `null`, `[1,2]`, `"text"`} {
		data := json.RawMessage(data)
		enc := encoder{what: op{"commit", "k"}}
		entity := outbox.Entity{Key: "k", Version: 2, LastSeq: 3, Data: data, UpdatedAt: at}
		event := outbox.Event{Key: "k", Seq: 3, ID: "id", Type: "t", Envelope: data, CreatedAt: at}
		model := inbox.Model{Key: "k", LastSeq: 3, Data: data}
		var entityRead entityDoc
		var eventRead eventDoc
		var modelRead modelDoc
		require.NoError(t, json.Unmarshal(enc.with(newEntityDoc("k", &entity), "data", data), &entityRead))
		require.NoError(t, json.Unmarshal(enc.with(newEventDoc("k", &event), "envelope", data), &eventRead))
		require.NoError(t, json.Unmarshal(enc.with(newModelDoc(&model), "data", data), &modelRead))
		require.NoError(t, enc.err)
		for _, got := range []json.RawMessage{entityRead.Data, eventRead.Envelope, modelRead.Data} {
			if len(data) == 0 {
				require.Empty(t, got)
				continue
			}
			require.JSONEq(t, string(data), string(got))
		}
		entityRead.Data, eventRead.Envelope, modelRead.Data = nil, nil, nil
		require.Equal(t, newEntityDoc("k", &entity), entityRead)
		require.Equal(t, newEventDoc("k", &event), eventRead)
		require.Equal(t, newModelDoc(&model), modelRead)
	}
}

// TestWhatIsNoJSON is rejected before anything is sent.
func TestWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	for _, data := range []string{`{`, `{}{}`, `}`, `{"a":1},"pk":"other"`} {
		enc := encoder{what: op{"commit", "k"}}
		enc.with(entityDoc{}, "data", json.RawMessage(data))
		var e *outbox.Error
		require.ErrorAs(t, enc.err, &e, data)
		require.Equal(t, outbox.Rejected, e.Class)
		require.ErrorContains(t, e, "data")
	}
}
