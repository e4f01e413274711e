package e2e_test

import (
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/test/collector"
)

// watched is start with a collector that the handler tells at once.
func watched(t *testing.T) (*system, *collector.Collector) {
	t.Helper()
	c := collector.RunT(t)
	return start(t, func(cfg *stack.Config) {
		maps.Copy(cfg.Settings, map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL, "OTEL_SERVICE_NAME": "e2e", "OTEL_BSP_SCHEDULE_DELAY": "10", "OTEL_METRIC_EXPORT_INTERVAL": "100",
		})
	}), c
}

// traced are the spans of a trace by name, those of the parts that failed left out, and what the consumer
// of another subscription did.
func traced(c *collector.Collector, traceID, subscription string) map[string]collector.Span {
	found, other := map[string]collector.Span{}, map[string]bool{}
	spans := c.Spans(traceID)
	for _, s := range spans {
		of, ok := s.Attributes["messaging.destination.subscription.name"]
		other[s.ID] = ok && of != subscription
	}
	for _, s := range spans {
		if _, failed := s.Attributes["error.type"]; !failed && !other[s.ID] && !other[s.Parent] {
			found[s.Name] = s
		}
	}
	return found
}

// TestOneTraceThroughAKill: a handler that is killed between commit and send has told of the
// request; another one sends the event and gives it its effect, in the same trace.
func TestOneTraceThroughAKill(t *testing.T) {
	t.Parallel()
	s, c := watched(t)
	s.put("before", "Before")
	s.consumed("before", 1)

	const client, trace = "00f067aa0ba902b7", "0af7651916cd43dd8448eb211c80319c" // the span is the history's
	has := func(names ...string) func() bool {
		return func() bool {
			found := traced(c, trace, s.Settings["EVENTS_SUBSCRIPTION"])
			for _, name := range names {
				if _, ok := found[name]; !ok {
					return false
				}
			}
			return true
		}
	}
	s.BusNet.Cut()
	s.must(201, http.MethodPut, "ada", `{"displayName":"Ada"}`, "Trace", trace)
	s.eventually(has("PUT /api/profiles/{id}", "commit", "execute_batch entities"), "the request is told of")
	require.NotContains(t, traced(c, trace, s.Settings["EVENTS_SUBSCRIPTION"]), "process entity-events")
	before := s.HandlerPID()
	kill(t, before)
	s.eventually(func() bool { pid := s.HandlerPID(); return pid != 0 && pid != before }, "another handler runs")
	s.BusNet.Heal()
	s.consumed("ada", 1)
	s.eventually(has("send entity-events", "process entity-events", "apply"), "the rest is told of")

	spans := traced(c, trace, s.Settings["EVENTS_SUBSCRIPTION"])
	request, commit, send, process, apply := spans["PUT /api/profiles/{id}"], spans["commit"], spans["send entity-events"], spans["process entity-events"], spans["apply"]
	require.Equal(t, client, request.Parent)
	require.Equal(t, request.ID, commit.Parent)
	require.Equal(t, commit.ID, spans["execute_batch entities"].Parent)
	require.Equal(t, request.ID, send.Parent)
	require.Equal(t, request.ID, process.Parent)
	require.Equal(t, process.ID, apply.Parent)
	require.Equal(t, apply.ID, spans["create_item views"].Parent, "the read model")
	require.Equal(t, "applied", process.Attributes["relaybox.outcome"])
	require.Equal(t, "profile:ada", process.Attributes["relaybox.key"])
	require.Equal(t, "e2e", process.Service)
	require.NotEqual(t, request.Instance, send.Instance, "whoever wrote the event is dead")
	require.Equal(t, send.Instance, process.Instance)

	s.eventually(func() bool {
		second := traced(c, trace, s.Settings["MAILING_SUBSCRIPTION"])
		return second["process entity-events"].Parent == request.ID && second["apply"].Parent == second["process entity-events"].ID
	}, "the second consumer is told of beside the first")
	known := map[string]bool{client: true}
	for _, span := range c.Spans(trace) {
		known[span.ID] = true
	}
	for _, span := range c.Spans(trace) {
		require.True(t, known[span.Parent], "%s hangs in the air", span.Name)
	}
	s.eventually(func() bool {
		for _, m := range c.Metrics() {
			if m.Name == "relaybox.effect.delay" {
				return true
			}
		}
		return false
	}, "metrics are told of")
}
