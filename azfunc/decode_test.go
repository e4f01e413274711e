package azfunc_test

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
)

func decode(t *testing.T, body string) *azfunc.Invocation {
	t.Helper()
	inv, err := azfunc.Decode(post("/ConsumeEvent", body))
	require.NoError(t, err)
	return inv
}

func post(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set(azfunc.HeaderInvocationID, "mine, 8e0f6f4e-0000-4000-8000-000000000001")
	return r
}

func sample(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(b)
}

// The payloads of the host reference, §3.3 to §3.5.
func TestDecodeSamples(t *testing.T) {
	t.Parallel()
	want := azfunc.Message{
		Body: []byte(`{"id":"42","version":3}`), MessageID: "evt-0001", SessionID: "42", Subject: "ProfileUpdated",
		ContentType: "application/json", CorrelationID: "c1", DeliveryCount: 1, SequenceNumber: 17,
		EnqueuedTime: time.Date(2026, 8, 7, 10, 0, 0, 0, time.UTC),
		Properties:   map[string]any{"traceparent": "00-1", "attempt": int64(1), "ratio": 0.5},
	}
	for _, name := range []string{"message-twice.json", "message-once.json", "message-binary.json", "message-plain-metadata.json"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := decode(t, sample(t, name)).Message("message")
			require.NoError(t, err)
			require.Equal(t, want, m)
		})
	}
}

func TestDecodeTimer(t *testing.T) {
	t.Parallel()
	timer, err := decode(t, sample(t, "timer.json")).Timer("timer")
	require.NoError(t, err)
	require.Equal(t, azfunc.Timer{AdjustForDST: true, Status: &azfunc.ScheduleStatus{
		Last:        time.Date(2026, 8, 7, 3, 55, 0, 4157900, time.UTC),
		Next:        time.Date(2026, 8, 7, 4, 0, 0, 0, time.UTC),
		LastUpdated: time.Date(2026, 8, 7, 3, 55, 0, 4157900, time.UTC),
	}}, timer)

	timer, err = decode(t, `{"Data":{"timer":{"Schedule":{"AdjustForDST":false},"ScheduleStatus":null,"IsPastDue":true}},"Metadata":{}}`).Timer("Timer")
	require.NoError(t, err)
	require.Equal(t, azfunc.Timer{PastDue: true}, timer)

	first, err := decode(t, `{"Data":{"timer":{"ScheduleStatus":{"Last":"0001-01-01T00:00:00+00:00","Next":"2026-08-07T04:00:00","LastUpdated":"nonsense"}}}}`).Timer("timer")
	require.NoError(t, err)
	require.True(t, first.Status.Last.IsZero())
	require.Equal(t, time.Date(2026, 8, 7, 4, 0, 0, 0, time.UTC), first.Status.Next, "a time without a zone is UTC")
	require.True(t, first.Status.LastUpdated.IsZero())
}

func TestDecodeBatch(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"batch-string.json", "batch-binary.json"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, err := decode(t, sample(t, name)).Messages("messages")
			require.NoError(t, err)
			require.Len(t, list, 2)
			require.JSONEq(t, `{"id":"1"}`, string(list[0].Body))
			require.JSONEq(t, `{"id":"2"}`, string(list[1].Body))
			require.Equal(t, []string{"evt-1", "evt-2"}, []string{list[0].MessageID, list[1].MessageID})
			require.Equal(t, int64(18), list[1].SequenceNumber)
			require.Equal(t, 2, list[1].DeliveryCount)
			require.Empty(t, list[0].SessionID)
			require.Equal(t, map[string]any{"attempt": int64(1)}, list[0].Properties)
			require.Equal(t, 123*time.Millisecond, time.Duration(list[0].EnqueuedTime.Nanosecond()))
		})
	}
	one, err := decode(t, sample(t, "message-binary.json")).Messages("message")
	require.NoError(t, err)
	require.Len(t, one, 1, "cardinality one reads as a batch of one")
	_, err = decode(t, `{"Data":{"messages":"\"oops\""},"Metadata":{"MessageIdArray":"[]"}}`).Messages("messages")
	require.ErrorIs(t, err, azfunc.ErrMalformed)
}

func TestDecodePayloads(t *testing.T) {
	t.Parallel()
	b64 := func(s string) string { return `"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"` }
	for _, c := range []struct{ name, data, body string }{
		{"binary", b64("\x00\xff"), "\x00\xff"},
		{"binary that holds a JSON string", b64(`"quoted"`), `"quoted"`},
		{"binary, empty", `""`, ""},
		{"text twice", `"\"abc\""`, "abc"},
		{"text twice, itself a JSON string", `"\"\\\"abc\\\"\""`, `"abc"`},
		{"text once", `"not base64!"`, "not base64!"},
		{"text once, an object", `"{\"a\":1}"`, `{"a":1}`},
		{"text twice, unicode", `"\"Ærø 😀\""`, "Ærø 😀"},
		{"an object that is no string at all", `{"a":1}`, `{"a":1}`},
		{"a number", `12`, `12`},
		{"begins like a literal and is none", `"\"abc"`, `"abc`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, err := decode(t, `{"Data":{"m":`+c.data+`}}`).Message("m")
			require.NoError(t, err)
			require.Equal(t, c.body, string(m.Body))
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty": "", "null": "null", "array": "[]", "text": `"x"`, "broken": `{"Data":`, "no data": `{"Metadata":{}}`,
		"data is text": `{"Data":"x"}`, "trailing": `{"Data":{}} x`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := azfunc.Decode(post("/F", body))
			require.ErrorIs(t, err, azfunc.ErrMalformed)
		})
	}
	_, err := decode(t, `{"Data":{}}`).Message("message")
	require.ErrorIs(t, err, azfunc.ErrNoBinding)
	_, err = decode(t, `{"Data":{"message":null}}`).Message("message")
	require.ErrorIs(t, err, azfunc.ErrMalformed)
	_, err = decode(t, `{"Data":{"timer":"x"}}`).Timer("timer")
	require.ErrorIs(t, err, azfunc.ErrMalformed)
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestDecodeBoundsTheBody(t *testing.T) {
	t.Parallel()
	r := post("/F", "")
	r.Body = io.NopCloser(endless{})
	_, err := azfunc.Decode(r)
	require.ErrorIs(t, err, azfunc.ErrTooLarge)
}

func TestInvocationID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []string
		want   string
	}{{nil, ""}, {[]string{"a"}, "a"}, {[]string{"mine, a"}, "a"}, {[]string{"mine", "a"}, "a"}, {[]string{"x,y ,  a "}, "a"}} {
		require.Equal(t, c.want, azfunc.InvocationID(http.Header{"X-Azure-Functions-Invocationid": c.values}))
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"message-twice.json", "message-once.json", "message-binary.json", "batch-string.json", "batch-binary.json", "timer.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, body string) {
		inv, err := azfunc.Decode(post("/F", body))
		if err != nil {
			require.ErrorIs(t, err, azfunc.ErrMalformed)
			return
		}
		for _, name := range []string{"message", "messages", "timer"} {
			if _, err := inv.Timer(name); err != nil {
				require.True(t, known(err), err)
			}
			if _, err := inv.Message(name); err != nil {
				require.True(t, known(err), err)
			}
			list, err := inv.Messages(name)
			require.True(t, err == nil || known(err), err)
			for _, m := range list {
				require.LessOrEqual(t, len(m.Body), len(body))
			}
		}
	})
}

func known(err error) bool {
	return errors.Is(err, azfunc.ErrMalformed) || errors.Is(err, azfunc.ErrNoBinding)
}
