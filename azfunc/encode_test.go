package azfunc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
)

var at = time.Date(2026, 8, 7, 10, 0, 1, 123456700, time.UTC)

func call(function, binding string) azfunc.Call {
	return azfunc.Call{Function: function, Binding: binding, Now: at, RandGUID: "guid"}
}

func TestEncodeTimer(t *testing.T) {
	t.Parallel()
	input := "hallo"
	got := azfunc.EncodeTimer(call("OutboxDispatcher", "timer"), azfunc.Timer{AdjustForDST: true}, &input)
	require.Equal(t, `{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}},`+
		`"Metadata":{"timer":"\"hallo\"","sys":{"MethodName":"OutboxDispatcher","UtcNow":"2026-08-07T10:00:01.1234567Z","RandGuid":"guid"}}}`, string(got))

	want := azfunc.Timer{PastDue: true, AdjustForDST: true, Status: &azfunc.ScheduleStatus{Next: at, LastUpdated: at.Add(time.Second)}}
	got = azfunc.EncodeTimer(call("OutboxDispatcher", "timer"), want, nil)
	require.Contains(t, string(got), `"Last":"0001-01-01T00:00:00+00:00","Next":"2026-08-07T10:00:01.1234567+00:00"`)
	back, err := decode(t, string(got)).Timer("timer")
	require.NoError(t, err)
	require.Equal(t, want, back)
}

func delivery(body string) azfunc.Delivery {
	return azfunc.Delivery{
		Message: azfunc.Message{Body: []byte(body), MessageID: "evt-0001", SessionID: "42", Subject: "s", ContentType: "application/json",
			DeliveryCount: 3, SequenceNumber: 17, EnqueuedTime: at, Properties: map[string]any{"seq": int64(9007199254740993), "traceparent": "00-1"}},
		Namespace: "sbemulatorns", LockToken: "6f1c5a43-3b2f-4a0e-9d43-5a1f3c5e7b90", ExpiresAt: at.Add(time.Hour),
	}
}

func TestEncodeMessageComesBack(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"n":1}`, "plain text", "Ærø \"x\" <&>", ""} {
		for _, p := range []azfunc.Payload{azfunc.TextTwice, azfunc.TextOnce, azfunc.Binary} {
			t.Run(fmt.Sprint(body, p), func(t *testing.T) {
				t.Parallel()
				d := delivery(body)
				got, err := decode(t, string(azfunc.EncodeMessage(call("ConsumeEvent", "message"), d, p))).Message("message")
				require.NoError(t, err)
				want := d.Message
				want.EnqueuedTime = at.Truncate(time.Second) // whole seconds on the wire
				require.Equal(t, want, got)
			})
		}
	}
}

func TestEncodeMessageMetadata(t *testing.T) {
	t.Parallel()
	body := `{"id":"42","messageId":"evil","version":3,"ok":true,"tags":["a"],"none":null,"sys":"mine","nested":{"a": 1},"myTrigger":"x"}`
	metadata := func(p azfunc.Payload) map[string]any {
		var doc struct{ Metadata map[string]any }
		require.NoError(t, json.Unmarshal(azfunc.EncodeMessage(call("ConsumeEvent", "message"), delivery(body), p), &doc))
		return doc.Metadata
	}
	clean := metadata(azfunc.Binary)
	require.Equal(t, `"evt-0001"`, clean["MessageId"])
	require.Equal(t, "2026-08-07T10:00:01", clean["EnqueuedTimeUtc"])
	require.Equal(t, "2026-08-07T10:00:01+00:00", clean["EnqueuedTime"])
	require.Equal(t, "17", clean["SequenceNumber"])
	require.NotContains(t, clean, "id", "binary payloads are not inspected")
	require.NotContains(t, clean, "CorrelationId", "null is left out")

	dirty := metadata(azfunc.TextTwice)
	require.Equal(t, `"evil"`, dirty["MessageId"], "a body property replaces the broker's value, whatever its case")
	require.Equal(t, `"3"`, dirty["version"])
	require.Equal(t, `"True"`, dirty["ok"])
	require.Equal(t, map[string]any{"a": 1.0}, dirty["nested"])
	require.Equal(t, `"mine"`, dirty["sys"])
	require.Equal(t, "ConsumeEvent", dirty["$sys"].(map[string]any)["MethodName"])
	for _, absent := range []string{"tags", "none", "myTrigger"} {
		require.NotContains(t, dirty, absent)
	}
}

// How single properties of a body are printed into the metadata.
func TestPollutionTexts(t *testing.T) {
	t.Parallel()
	for property, want := range map[string]string{
		`5`: "5", `1.0`: "1", `1.50`: "1.5", `1e3`: "1000", `1e20`: "1E+20", `0.000001`: "1E-06", `12345678901234567890`: "12345678901234567890",
		`true`: "True", `false`: "False", `"x"`: "x", `"2026-08-07T10:00:00Z"`: "08/07/2026 10:00:00", `"2026-08-07T10:00:00.5+02:00"`: "08/07/2026 08:00:00",
		`"2026-08-07"`: "2026-08-07",
	} {
		h := azfunc.HTTPCall{Body: []byte(`{"p":` + property + `,"query":"mine"}`)}
		var doc struct{ Metadata map[string]json.RawMessage }
		require.NoError(t, json.Unmarshal(azfunc.EncodeHTTP(call("F", "req"), h), &doc))
		var text, inner string
		require.NoError(t, json.Unmarshal(doc.Metadata["p"], &text))
		require.NoError(t, json.Unmarshal([]byte(text), &inner))
		require.Equal(t, want, inner, property)
		require.NotContains(t, doc.Metadata, "Query", "a body property of that name wins")
	}
	for _, body := range []string{`{"p":1} x`, `[{"p":1}]`, `{"p":1`, `"p"`, ``} {
		got := azfunc.EncodeHTTP(call("F", "req"), azfunc.HTTPCall{Body: []byte(body)})
		require.NotContains(t, string(got), `"p":"`, body)
	}
}

func TestEncodeHTTP(t *testing.T) {
	t.Parallel()
	h := azfunc.HTTPCall{
		Method: "PUT", URL: "http://relaybox.test/api/profiles/42?v=1&v=2&code=k",
		Query:  []azfunc.Pair{{Name: "v", Values: []string{"1", "2"}}, {Name: "code", Values: []string{"k"}}},
		Header: []azfunc.Pair{{Name: "Host", Values: []string{"relaybox.test"}}, {Name: "X-Custom", Values: []string{"v1", "v2"}}},
		Params: []azfunc.Pair{{Name: "id", Values: []string{"42"}}},
		Body:   []byte(`{"name":"Ada","V":"body"}`),
	}
	var doc struct {
		Data     map[string]map[string]any
		Metadata map[string]any
	}
	require.NoError(t, json.Unmarshal(azfunc.EncodeHTTP(call("WriteProfile", "req"), h), &doc))
	req := doc.Data["req"]
	require.Equal(t, map[string]any{"v": "1,2", "code": "k"}, req["Query"])
	require.Equal(t, []any{"v1", "v2"}, req["Headers"].(map[string]any)["X-Custom"])
	require.Equal(t, map[string]any{"id": "42"}, req["Params"])
	require.Equal(t, `{"name":"Ada","V":"body"}`, req["Body"])
	require.Equal(t, `"Ada"`, doc.Metadata["name"])
	require.Equal(t, `"2"`, doc.Metadata["V"], "the query replaces the body, the last value wins")
	require.NotContains(t, doc.Metadata, "code")
	require.Equal(t, map[string]any{"Host": "relaybox.test", "X-Custom": "v1,v2"}, doc.Metadata["Headers"])

	h.Body, h.Binary = []byte{0, 255}, true
	require.Contains(t, string(azfunc.EncodeHTTP(call("WriteProfile", "req"), h)), `"Body":"AP8="`)
}

// Reference §3.6, row by row.
func TestDecodeAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		media  string
		body   string
		err    error
	}{
		{"success", 200, "application/json", emptyResult, nil},
		{"an empty object", 200, "application/json", `{}`, nil},
		{"any 2xx, charset", 201, "application/json; charset=utf-8", `{"logs":["a",1,null]}`, nil},
		{"empty body", 200, "application/json", "", azfunc.ErrNoAnswer},
		{"204", 204, "", "", azfunc.ErrNoAnswer},
		{"null", 200, "application/json", "null", azfunc.ErrNoAnswer},
		{"text", 200, "text/plain", "{}", azfunc.ErrInvalidAnswer},
		{"problem", 200, "application/problem+json", "{}", azfunc.ErrInvalidAnswer},
		{"no content type", 200, "", "{}", azfunc.ErrInvalidAnswer},
		{"malformed", 200, "application/json", "{", azfunc.ErrInvalidAnswer},
		{"array", 200, "application/json", "[]", azfunc.ErrInvalidAnswer},
		{"outputs are no object", 200, "application/json", `{"Outputs":1}`, azfunc.ErrInvalidAnswer},
		{"logs of objects", 200, "application/json", `{"Logs":[{"a":1}]}`, azfunc.ErrInvalidAnswer},
		{"302", 302, "application/json", emptyResult, azfunc.ErrFailed},
		{"404", 404, "application/json", emptyResult, azfunc.ErrFailed},
		{"500", 500, "application/json", emptyResult, azfunc.ErrFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := azfunc.DecodeAnswer(c.status, http.Header{"Content-Type": {c.media}}, []byte(c.body))
			require.ErrorIs(t, err, c.err)
		})
	}
	a, err := azfunc.DecodeAnswer(200, http.Header{"Content-Type": {"application/json"}}, []byte(`{"OUTPUTS":{"res":{"statusCode":201}},"Logs":["swept",5]}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"statusCode":201}`, string(a.Outputs["res"]))
	require.Equal(t, []string{"swept", "5"}, a.Logs)
}

func Example() {
	mux := azfunc.NewMux(azfunc.MuxOptions{})
	mux.Handle("Greet", azfunc.Handle(func(_ context.Context, inv *azfunc.Invocation) (azfunc.Result, error) {
		m, err := inv.Message("message")
		return azfunc.Result{Logs: []string{"hello " + string(m.Body)}}, err
	}))

	// What the host sends for dataType "binary".
	body := azfunc.EncodeMessage(azfunc.Call{Function: "Greet", Binding: "message"},
		azfunc.Delivery{Message: azfunc.Message{Body: []byte("Ada")}}, azfunc.Binary)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/Greet", strings.NewReader(string(body))))
	fmt.Print(w.Code, " ", w.Body)
	// Output: 200 {"Outputs":{},"Logs":["hello Ada"],"ReturnValue":null}
}
