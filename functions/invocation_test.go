package functions_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// invocation is a Service Bus invocation with dataType binary.
func invocation(body []byte, messageID, session string) string {
	return wrap(base64.StdEncoding.EncodeToString(body), messageID, session)
}

// wrap quotes what a host has already encoded.
func wrap(data, messageID, session string) string {
	quoted, _ := json.Marshal(data)
	return fmt.Sprintf(`{"Data":{"message":%s},"Metadata":{"DeliveryCount":"1","MessageId":"\"%s\"","SessionId":"\"%s\"","sys":{"MethodName":"ConsumeEvent"}}}`, quoted, messageID, session)
}

// envelope is a valid event of profile ann with changes; nil removes an attribute.
func envelope(changes map[string]any) []byte {
	e := map[string]any{
		"specversion": "1.0", "id": "e-1", "source": "/test/profile", "type": "relaybox.profile.created", "subject": "ann",
		"sequence": "00000000000000000002", "partitionkey": "profile:ann",
		"incarnation": "0123456789abcdef", "incarnationfirst": "00000000000000000001", "incarnationsince": "2026-01-01T00:00:00Z", "incarnationdrawn": "2026-01-01T00:00:00Z",
		"datacontenttype": "application/json", "data": map[string]any{"id": "ann", "state": map[string]any{"displayName": "Ann"}},
	}
	for k, v := range changes {
		if e[k] = v; v == nil {
			delete(e, k)
		}
	}
	text, _ := json.Marshal(e)
	return text
}

func TestPayloadsOfEveryEncoding(t *testing.T) {
	t.Parallel()
	once := string(envelope(nil))
	twice, _ := json.Marshal(once)
	for name, body := range map[string]string{
		"binary":        invocation(envelope(nil), "e-1", "profile:ann"),
		"encoded once":  wrap(once, "e-1", "profile:ann"),
		"encoded twice": wrap(string(twice), "e-1", "profile:ann"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _, _, views := app(t)
			w := call(t, h, "POST", "/ConsumeEvent", body)
			require.Equal(t, 200, w.Code, w.Body)
			m, err := views.Load(t.Context(), "profile:ann")
			require.NoError(t, err)
			require.EqualValues(t, 2, m.LastSeq)
		})
	}
}

// TestBadMessages: each of them can never work, so it costs a delivery and changes nothing.
func TestBadMessages(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"not an invocation":   `[]`,
		"broken json":         `{"Data":`,
		"no data":             `{"Data":{},"Metadata":{}}`,
		"not an envelope":     invocation([]byte("hello"), "e-1", "profile:ann"),
		"empty body":          invocation(nil, "e-1", "profile:ann"),
		"no id":               invocation(envelope(map[string]any{"id": nil}), "e-1", "profile:ann"),
		"id that is no id":    invocation(envelope(map[string]any{"id": "a/b"}), "a/b", "profile:ann"),
		"no source":           invocation(envelope(map[string]any{"source": nil}), "e-1", "profile:ann"),
		"other specversion":   invocation(envelope(map[string]any{"specversion": "2.0"}), "e-1", "profile:ann"),
		"no sequence":         invocation(envelope(map[string]any{"sequence": nil}), "e-1", "profile:ann"),
		"sequence of words":   invocation(envelope(map[string]any{"sequence": "first"}), "e-1", "profile:ann"),
		"sequence zero":       invocation(envelope(map[string]any{"sequence": "0"}), "e-1", "profile:ann"),
		"no subject":          invocation(envelope(map[string]any{"subject": nil}), "e-1", "profile:ann"),
		"subject with a path": invocation(envelope(map[string]any{"subject": "../x"}), "e-1", "../x"),
		"another session":     invocation(envelope(nil), "e-1", "profile:bob"),
		"unknown type":        invocation(envelope(map[string]any{"type": "other"}), "e-1", "profile:ann"),
		"data of another":     invocation(envelope(map[string]any{"data": map[string]any{"id": "bob", "displayName": "B"}}), "e-1", "profile:ann"),
		"data of wrong type":  invocation(envelope(map[string]any{"data": "text"}), "e-1", "profile:ann"),
		"no data at all":      invocation(envelope(map[string]any{"data": nil}), "e-1", "profile:ann"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _, _, views := app(t)
			// A model that exists, so that data of another profile can be told.
			require.Equal(t, 200, call(t, h, "POST", "/ConsumeEvent", invocation(envelope(map[string]any{"id": "e-0", "sequence": "1"}), "e-0", "profile:ann")).Code)
			w := call(t, h, "POST", "/ConsumeEvent", body)
			require.Equal(t, 500, w.Code, w.Body)
			m, err := views.Load(t.Context(), "profile:ann")
			require.NoError(t, err)
			require.EqualValues(t, 1, m.LastSeq)
		})
	}
}
