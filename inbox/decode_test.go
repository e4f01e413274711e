package inbox_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
)

// envelope is a valid one with changes: a nil value takes a member away.
func envelope(t *testing.T, changes map[string]any) []byte {
	t.Helper()
	members := map[string]any{
		"specversion": "1.0", "id": "e-1", "source": "/relaybox/order", "type": "relaybox.order.created", "subject": "o-1",
		"time": "2026-08-07T10:00:00Z", "datacontenttype": "application/json", "data": map[string]any{"id": "o-1"},
		"sequence": "00000000000000000007", "partitionkey": "order:o-1",
		"incarnation": "0123456789abcdef", "incarnationfirst": "00000000000000000003", "incarnationsince": "2026-01-01T00:00:00Z",
		"incarnationdrawn": "2026-01-01T00:00:05.25Z",
		"entityversion":    "00000000000000000004",
		"traceparent":      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"tracestate":       "v=1",
	}
	for name, value := range changes {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return text
}

func TestDecode(t *testing.T) {
	t.Parallel()
	e, err := inbox.Decode(envelope(t, nil))
	require.NoError(t, err)
	require.Equal(t, inbox.Event{
		Key: "order:o-1", Seq: 7, Version: 4, ID: "e-1", Type: "relaybox.order.created", Source: "/relaybox/order", Subject: "o-1",
		Incarnation: inbox.Incarnation{ID: "0123456789abcdef", First: 3, Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Drawn: time.Date(2026, 1, 1, 0, 0, 5, 250_000_000, time.UTC)},
		Time:        time.Date(2026, 8, 7, 10, 0, 0, 0, time.UTC), Data: json.RawMessage(`{"id":"o-1"}`),
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "v=1",
	}, e)

	e, err = inbox.Decode(envelope(t, map[string]any{"partitionkey": nil, "entityversion": nil, "incarnation": nil, "incarnationfirst": nil, "incarnationsince": nil, "incarnationdrawn": nil}))
	require.NoError(t, err)
	require.Equal(t, "o-1", e.Key, "a source without partitions has its subjects")
	require.Zero(t, e.Incarnation)
	require.Zero(t, e.Version)
}

// TestTypesOfJSON are those that the data of an event may have. Of types by another name the SDK
// takes a text only, with the JSON in it.
func TestTypesOfJSON(t *testing.T) {
	t.Parallel()
	value := map[string]any{"id": "o-1"}
	for _, row := range []struct{ is, data any }{
		{nil, value}, {"application/json", value}, {"application/json; charset=utf-8", value}, {"application/vnd.shop.order+json", `{"id":"o-1"}`},
	} {
		e, err := inbox.Decode(envelope(t, map[string]any{"datacontenttype": row.is, "data": row.data}))
		require.NoError(t, err, row.is)
		require.JSONEq(t, `{"id":"o-1"}`, string(e.Data))
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	change := func(name string, value any) []byte { return envelope(t, map[string]any{name: value}) }
	for name, c := range map[string]struct {
		body []byte
		want inbox.Reason
	}{
		"no JSON":             {[]byte("no"), inbox.BadEnvelope},
		"nothing":             {nil, inbox.BadEnvelope},
		"null":                {[]byte("null"), inbox.BadEnvelope},
		"another document":    {[]byte(`{"displayName":"Ada"}`), inbox.BadEnvelope},
		"version 0.3":         {change("specversion", "0.3"), inbox.BadVersion},
		"version 2.0":         {change("specversion", "2.0"), inbox.BadVersion},
		"no id":               {change("id", nil), inbox.BadEnvelope},
		"an id with spaces":   {change("id", "a b"), inbox.BadID},
		"a long id":           {change("id", strings.Repeat("i", 129)), inbox.BadID},
		"no type":             {change("type", nil), inbox.BadEnvelope},
		"no sequence":         {change("sequence", nil), inbox.BadSequence},
		"sequence 0":          {change("sequence", "0"), inbox.BadSequence},
		"negative":            {change("sequence", "-7"), inbox.BadSequence},
		"no number":           {change("sequence", "seven"), inbox.BadSequence},
		"a JSON number":       {change("sequence", 7), inbox.BadSequence},
		"2^53":                {change("sequence", fmt.Sprint(int64(1)<<53)), inbox.BadSequence},
		"2^63-1":              {change("sequence", "9223372036854775807"), inbox.BadSequence},
		"before its life":     {change("sequence", "2"), inbox.BadSequence},
		"no incarnation":      {change("incarnation", nil), inbox.BadIncarnation},
		"no first":            {change("incarnationfirst", nil), inbox.BadIncarnation},
		"no stamp":            {change("incarnationsince", nil), inbox.BadIncarnation},
		"not drawn":           {change("incarnationdrawn", nil), inbox.BadIncarnation},
		"of the far future":   {change("incarnationsince", "9999-01-01T00:00:00Z"), inbox.BadIncarnation},
		"drawn in the future": {change("incarnationdrawn", "9999-01-01T00:00:00Z"), inbox.BadIncarnation},
		"version 0":           {change("entityversion", "0"), inbox.BadEntityVersion},
		"version of words":    {change("entityversion", "first"), inbox.BadEntityVersion},
		"a number of JSON":    {change("entityversion", 4), inbox.BadEntityVersion},
		"two documents":       {append(envelope(t, nil), envelope(t, nil)...), inbox.BadEnvelope},
		"something behind":    {append(envelope(t, nil), " rubbish"...), inbox.BadEnvelope},
		"text":                {change("datacontenttype", "text/plain"), inbox.BadEnvelope},
		"no sequence, no life": {envelope(t, map[string]any{
			"sequence": nil, "incarnation": nil, "incarnationfirst": nil, "incarnationsince": nil, "incarnationdrawn": nil,
		}), inbox.BadSequence},
		"text, as such":       {envelope(t, map[string]any{"datacontenttype": "text/plain", "data": "text"}), inbox.BadEnvelope},
		"a stamp of our own":  {change("incarnationsince", "yesterday"), inbox.BadIncarnation},
		"incarnation: spaces": {change("incarnation", "a b"), inbox.BadIncarnation},
		"no key":              {envelope(t, map[string]any{"partitionkey": nil, "subject": nil}), inbox.BadKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := inbox.Decode(c.body)
			require.Error(t, err)
			require.Equal(t, c.want, inbox.ReasonOf(err), "%v", err)
		})
	}
}

// TestLimitsOfAnEnvelope: the last key and numbers that are taken, and the first that are not.
func TestLimitsOfAnEnvelope(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, good, bad string
		want            inbox.Reason
	}{
		{"partitionkey", strings.Repeat("k", 1023), strings.Repeat("k", 1024), inbox.BadKey},
		{"sequence", fmt.Sprint(inbox.MaxSeq), fmt.Sprint(inbox.MaxSeq + 1), inbox.BadSequence},
		{"sequence", "3", "2", inbox.BadSequence},
		{"sequence", "7", "7x", inbox.BadSequence},
		{"incarnationfirst", "1", "0", inbox.BadIncarnation},
	} {
		_, err := inbox.Decode(envelope(t, map[string]any{c.name: c.good}))
		require.NoError(t, err, c.good)
		_, err = inbox.Decode(envelope(t, map[string]any{c.name: c.bad}))
		require.Equal(t, c.want, inbox.ReasonOf(err), c.bad)
	}
}

func TestReasonOfWhatIsNoRefusal(t *testing.T) {
	t.Parallel()
	require.Empty(t, inbox.ReasonOf(errTooLarge))
	require.Empty(t, inbox.ReasonOf(nil))
}

// TestARefusalKeepsItsText up to 500 bytes, and cuts no character.
func TestARefusalKeepsItsText(t *testing.T) {
	t.Parallel()
	require.EqualError(t, inbox.Refuse("why", "%s", strings.Repeat("x", 500)), "why: "+strings.Repeat("x", 500))
	require.EqualError(t, inbox.Refuse("why", "x%s", strings.Repeat("ä", 250)), "why: x"+strings.Repeat("ä", 249)+"…")
}

func TestARefusalIsShort(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sequence", "time", "incarnationsince", "datacontenttype", "type"} {
		_, err := inbox.Decode(envelope(t, map[string]any{name: strings.Repeat("ä", 100_000)}))
		if err != nil {
			require.Less(t, len(err.Error()), 600, name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"k","sequence":"1"}`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"k","sequence":"1","incarnation":"a","incarnationfirst":"1","incarnationsince":"2026-01-01T00:00:00Z","incarnationdrawn":"2026-01-01T00:00:00Z","data_base64":"AA=="}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := inbox.Decode(body)
		if err != nil {
			require.NotEmpty(t, inbox.ReasonOf(err), "%v", err)
			return
		}
		require.NotEmpty(t, e.Key)
		require.True(t, e.Seq >= 1 && e.Seq >= e.Incarnation.First && e.Seq <= inbox.MaxSeq)
	})
}
