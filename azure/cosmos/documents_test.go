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
		require.NoError(t, json.Unmarshal(enc.event("k", &event), &eventRead))
		require.NoError(t, json.Unmarshal(enc.with(newModelDoc(&model), "data", data), &modelRead))
		require.NoError(t, enc.err)
		for _, got := range []json.RawMessage{entityRead.Data, eventRead.Envelope, modelRead.Data} {
			if len(data) == 0 {
				require.Empty(t, got)
				continue
			}
			require.JSONEq(t, string(data), string(got))
		}
		entityRead.Data, modelRead.Data = nil, nil
		require.Equal(t, newEntityDoc("k", &entity), entityRead)
		require.Equal(t, newModelDoc(&model), modelRead)
	}
}

// TestAnEventIsStoredOnce: its document says nothing twice that is charged, and what is read is
// the event that was written.
func TestAnEventIsStoredOnce(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	whole := outbox.Event{
		Key: "profile:ada", Seq: 7, Type: "relaybox.profile.updated", CreatedAt: at,
		Trace: outbox.Trace{Parent: "00-cf1e2dd8c2729b8acd82dbd55a3860f7-944397dd1e213a47-01", State: "a=b"},
	}
	require.NoError(t, whole.Fill(outbox.Content{
		Source: "/relaybox/profile", Data: json.RawMessage(`{"a":"<&>é\u2028"}`),
		Incarnation: outbox.Incarnation{ID: "8254b1ad56a9a4dc", First: 3, Since: at.Truncate(time.Second), Drawn: at},
	}))
	bare := whole
	bare.Content = nil
	nameless := outbox.Event{Key: "k", Seq: 1, Type: "t", CreatedAt: at}
	require.NoError(t, nameless.Fill(outbox.Content{Incarnation: outbox.Incarnation{ID: "i-1", First: 1}, Data: json.RawMessage(`null`)}))
	for name, e := range map[string]outbox.Event{"content": whole, "no source, no data": nameless, "envelope": bare, "null": {Key: "profile:ada", Seq: 1, ID: "id", Type: "t", Envelope: []byte(`null`), CreatedAt: at}} {
		enc := encoder{}
		text := enc.event(e.Key, &e)
		require.NoError(t, enc.err)
		read, err := ReadEvent(text)
		require.NoError(t, err)
		want := e
		want.Content = nil
		require.Equal(t, want, read, name)
		if e.Content != nil {
			require.NotContains(t, string(text), "envelope")
			require.NotContains(t, string(text), e.ID)
			require.Less(t, len(text), len(e.Envelope))
			var before struct{ Incarnation string }
			require.Error(t, json.Unmarshal(text, &before), "an earlier release would send it without an envelope")
		}
	}
	for _, broken := range []string{`{`, `{"seq":1}`, `{"seq":1,"source":"/s","incarnation":7}`} {
		_, err := ReadEvent([]byte(broken))
		require.Error(t, err)
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
