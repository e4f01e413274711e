package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/handler/telemetry"
)

// TestLinesSayWhichTraceTheyBelongTo, and one that says so itself is believed.
func TestLinesSayWhichTraceTheyBelongTo(t *testing.T) {
	t.Parallel()
	span := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	const one, two = "01000000000000000000000000000000", "0af7651916cd43dd8448eb211c80319c"
	for name, c := range map[string]struct {
		ctx         context.Context
		args        []any
		trace, span string
	}{
		"nobody's":            {t.Context(), nil, "", ""},
		"a span's":            {span, []any{"k", "v"}, one, "0200000000000000"},
		"an invocation's":     {azfunc.WithTraceparent(t.Context(), clients), nil, two, "b7ad6b7169203331"},
		"a span's before":     {azfunc.WithTraceparent(span, clients), nil, one, "0200000000000000"},
		"an event's":          {t.Context(), []any{telemetry.Trace(clients)}, two, "b7ad6b7169203331"},
		"an event's before":   {span, []any{telemetry.Trace(clients)}, two, "b7ad6b7169203331"},
		"malformed":           {azfunc.WithTraceparent(t.Context(), "00-1-2"), nil, "", ""},
		"malformed, of event": {t.Context(), []any{telemetry.Trace("")}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log := slog.New(telemetry.Correlated(slog.NewJSONHandler(&out, nil))).With("part", "p")
			log.InfoContext(c.ctx, "line", c.args...)
			require.LessOrEqual(t, strings.Count(out.String(), "trace_id"), 1)
			var line map[string]any
			require.NoError(t, json.Unmarshal(out.Bytes(), &line))
			require.Equal(t, "p", line["part"])
			if c.trace == "" {
				require.NotContains(t, line, "trace_id")
				require.NotContains(t, line, "")
				return
			}
			require.Equal(t, c.trace, line["trace_id"])
			require.Equal(t, c.span, line["span_id"])
		})
	}
}

// writer is a log that many write to.
type writer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Buffer.Write(p)
}

func (w *writer) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.String()
}

// lineOf is the first line with the message.
func lineOf(t *testing.T, log, msg string) map[string]any {
	t.Helper()
	for text := range strings.Lines(log) {
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		if line["msg"] == msg {
			return line
		}
	}
	require.Fail(t, "no such line", "%s\n%s", msg, log)
	return nil
}

// TestTheAppsLines have the ids of the spans while telemetry is on, and what the host and the
// writer have sent while it is off.
func TestTheAppsLines(t *testing.T) {
	t.Parallel()
	for name, on := range map[string]bool{"on": true, "off": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log writer
			a := telling(t, &log)
			if !on {
				a.tell = nil
				a.serve(&log)
			}
			require.Equal(t, 201, a.call("PUT", "/api/profiles/ada", `{"displayName":"Ada"}`, "traceparent", clients).Code)
			require.Equal(t, 404, a.call("GET", "/api/profiles/nobody", "", "traceparent", clients).Code)
			require.Equal(t, 200, a.call("POST", "/OutboxDispatcher", `{"Data":{"timer":{}},"Metadata":{}}`, "traceparent", hosts).Code)
			sent := a.bus.Log()[0]
			require.Equal(t, 200, a.deliver(sent, "traceparent", hosts).Code)
			require.Equal(t, 500, a.message([]byte(`{"no":"event"}`), clients, "traceparent", hosts).Code)

			clientsTrace, hostsTrace := strings.Split(clients, "-")[1], strings.Split(hosts, "-")[1]
			for msg, want := range map[string]string{
				"swept": hostsTrace, "consumed": clientsTrace, "event refused: it can never be applied": clientsTrace,
			} {
				line := lineOf(t, log.text(), msg)
				require.Equal(t, want, line["trace_id"], msg)
				require.NotEmpty(t, line["span_id"], msg)
			}
			if on {
				require.Equal(t, a.named("process events")[0].SpanContext().SpanID().String(), lineOf(t, log.text(), "consumed")["span_id"])
				require.Equal(t, a.only("OutboxDispatcher").SpanContext().SpanID().String(), lineOf(t, log.text(), "swept")["span_id"])
			} else {
				require.Equal(t, clients, sent.Trace.Parent, "the event has the client's context as it came")
				require.Equal(t, strings.Split(clients, "-")[2], lineOf(t, log.text(), "consumed")["span_id"])
			}
		})
	}
}
