package telemetry_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/cache"
	"github.com/relaybox/relaybox/handler/telemetry"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// told are the metrics, a line for each point: name, unit, attributes and value, or for a
// histogram the count.
func told(t *testing.T, r *sdkmetric.ManualReader) []string {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, r.Collect(t.Context(), &all))
	var lines []string
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			line := func(a attribute.Set, v any) {
				require.NotEmpty(t, m.Description, m.Name)
				lines = append(lines, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %v", m.Name, m.Unit, a.Encoded(attribute.DefaultEncoder()), v)), " "))
			}
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					line(p.Attributes, p.Value)
				}
			case metricdata.Gauge[int64]:
				for _, p := range d.DataPoints {
					line(p.Attributes, p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range d.DataPoints {
					line(p.Attributes, p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					line(p.Attributes, fmt.Sprintf("n=%d", p.Count))
				}
			default:
				t.Errorf("%s is a %T", m.Name, d)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// TestMetricsOfAnEvent: all that an event on its way is counted by.
func TestMetricsOfAnEvent(t *testing.T) {
	t.Parallel()
	a := telling(t, io.Discard)
	require.Equal(t, 201, a.call("PUT", "/api/profiles/ada", `{"displayName":"Ada"}`, "X-Forwarded-Proto", "https").Code)
	require.Equal(t, 404, a.call("GET", "/api/profiles/nobody", "").Code)
	require.Equal(t, 200, a.call("POST", "/OutboxDispatcher", `{"Data":{"timer":{}},"Metadata":{}}`).Code)
	sent := a.bus.Log()[0]
	require.Equal(t, 200, a.deliver(sent).Code)
	require.Equal(t, 200, a.deliver(sent).Code)
	require.Equal(t, 500, a.message([]byte(`{"no":"event"}`), "").Code)
	lines := told(t, a.metrics)
	oldest := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "relaybox.outbox.oldest s ") })
	require.GreaterOrEqual(t, oldest, 0)
	require.Equal(t, []string{
		"http.server.request.duration s http.request.method=GET,http.response.status_code=404,http.route=/api/profiles/{id},url.scheme=http n=1",
		"http.server.request.duration s http.request.method=PUT,http.response.status_code=201,http.route=/api/profiles/{id},url.scheme=https n=1",
		"messaging.client.consumed.messages {message} error.type=bad-envelope,messaging.destination.name=events,messaging.destination.subscription.name=views,messaging.operation.name=process,messaging.operation.type=process,messaging.system=servicebus,relaybox.outcome=refused 1",
		"messaging.client.consumed.messages {message} messaging.destination.name=events,messaging.destination.subscription.name=views,messaging.operation.name=process,messaging.operation.type=process,messaging.system=servicebus,relaybox.outcome=applied 1",
		"messaging.client.consumed.messages {message} messaging.destination.name=events,messaging.destination.subscription.name=views,messaging.operation.name=process,messaging.operation.type=process,messaging.system=servicebus,relaybox.outcome=duplicate 1",
		"messaging.client.operation.duration s messaging.destination.name=events,messaging.operation.name=send,messaging.operation.type=send,messaging.system=servicebus n=1",
		"messaging.client.sent.messages {message} messaging.destination.name=events,messaging.operation.name=send,messaging.operation.type=send,messaging.system=servicebus 1",
		"messaging.process.duration s error.type=bad-envelope,messaging.destination.name=events,messaging.destination.subscription.name=views,messaging.operation.name=process,messaging.operation.type=process,messaging.system=servicebus,relaybox.outcome=refused n=1",
		"messaging.process.duration s messaging.destination.name=events,messaging.destination.subscription.name=views,messaging.operation.name=process,messaging.operation.type=process,messaging.system=servicebus,relaybox.outcome=applied n=1",
		"messaging.process.duration s messaging.destination.name=events,messaging.destination.subscription.name=views,messaging.operation.name=process,messaging.operation.type=process,messaging.system=servicebus,relaybox.outcome=duplicate n=1",
		"relaybox.effect.delay s n=1",
		"relaybox.events.committed {event} cloudevents.event_type=relaybox.profile.created 1",
		"relaybox.events.consumed {event} cloudevents.event_type=relaybox.profile.created,relaybox.outcome=applied 1",
		"relaybox.events.consumed {event} cloudevents.event_type=relaybox.profile.created,relaybox.outcome=duplicate 1",
		"relaybox.events.published {event} cloudevents.event_type=relaybox.profile.created 1",
		"relaybox.events.refused {event} error.type=bad-envelope,relaybox.by=consumer 1",
		"relaybox.events.settled {event} relaybox.from=query 1",
		"relaybox.outbox.blocked.keys {key} 0",
		"relaybox.outbox.parked {event} 0",
		"relaybox.outbox.paused.keys {key} 0",
		"relaybox.outbox.pending.keys {key} 1",
		"relaybox.publish.delay s n=1",
		"relaybox.timer.duration s relaybox.function=OutboxDispatcher n=1",
	}, slices.Delete(lines, oldest, oldest+1))
}

// TestMetricsOfTheStore: requests, their time and their charge, for each kind of operation.
func TestMetricsOfTheStore(t *testing.T) {
	t.Parallel()
	r := sdkmetric.NewManualReader()
	tell, err := telemetry.New(telemetry.Options{Metrics: r})
	require.NoError(t, err)
	hear := tell.Store()
	a := cosmos.Attempt{Verb: "commit", Operation: "execute_batch", Database: "d", Container: "entities", Took: time.Second, Status: 200, Charge: 31.5}
	hear(t.Context(), a)
	a.Status, a.Substatus = 429, "3200"
	hear(t.Context(), a)
	hear(t.Context(), cosmos.Attempt{Verb: "load", Operation: "read_item", Database: "d", Container: "entities", Status: 404, Charge: 1})
	hear(t.Context(), cosmos.Attempt{Verb: "load", Operation: "read_item", Database: "d", Container: "entities", Err: errors.New("away")})
	require.Equal(t, []string{
		"azure.cosmosdb.client.operation.request_charge {request_unit} azure.cosmosdb.response.sub_status_code=3200,db.collection.name=entities,db.namespace=d,db.operation.name=execute_batch,db.response.status_code=429,db.system.name=azure.cosmosdb,error.type=429,relaybox.operation=commit n=1",
		"azure.cosmosdb.client.operation.request_charge {request_unit} db.collection.name=entities,db.namespace=d,db.operation.name=execute_batch,db.response.status_code=200,db.system.name=azure.cosmosdb,relaybox.operation=commit n=1",
		"db.client.operation.duration s azure.cosmosdb.response.sub_status_code=3200,db.collection.name=entities,db.namespace=d,db.operation.name=execute_batch,db.response.status_code=429,db.system.name=azure.cosmosdb,error.type=429,relaybox.operation=commit n=1",
		"db.client.operation.duration s db.collection.name=entities,db.namespace=d,db.operation.name=execute_batch,db.response.status_code=200,db.system.name=azure.cosmosdb,relaybox.operation=commit n=1",
		"db.client.operation.duration s db.collection.name=entities,db.namespace=d,db.operation.name=read_item,db.system.name=azure.cosmosdb,error.type=no_answer,relaybox.operation=load n=1",
	}, slices.DeleteFunc(told(t, r), func(l string) bool {
		return strings.Contains(l, "status_code=404") && !strings.Contains(l, "error.type")
	}), "that nothing is there is no error")
}

// TestMetricsOfTrouble: what an operator is to look at.
func TestMetricsOfTrouble(t *testing.T) {
	t.Parallel()
	r := sdkmetric.NewManualReader()
	tell, err := telemetry.New(telemetry.Options{Metrics: r})
	require.NoError(t, err)
	away := &outbox.Error{Class: outbox.Unavailable, Op: "send", Err: errors.New("away")}
	sent := outbox.Event{Type: "t"}
	for _, s := range []outbox.Signal{
		outbox.Refused{Event: sent, Err: away, Verdict: outbox.Verdict{Action: outbox.Pause}}, outbox.Parked{Event: sent}, outbox.Paused{Err: away},
		outbox.Settled{Count: 3, Fresh: true}, outbox.Settled{Count: 2}, outbox.Dropped{Key: "k"}, outbox.Resumed{}, outbox.Replayed{},
	} {
		tell.Outbox()(s)
	}
	for _, s := range []inbox.Signal{
		inbox.Jumped{Event: inbox.Event{Type: "t"}, Missing: 4}, inbox.GaveUp{Event: inbox.Event{Type: "t"}, Err: away}, inbox.Held{Err: away}, inbox.Waits{}, inbox.Skipped{},
	} {
		tell.Consumer()(s)
	}
	for _, s := range []cache.Signal{cache.Answered{Hit: true}, cache.Answered{}, cache.Answered{Hit: true}, cache.Failed{Err: away, Times: 1}, cache.Back{}} {
		tell.Cache()(s)
	}
	tell.Bus()(servicebus.Sent{Topic: "events", Events: make([]*outbox.Event, 2), Err: away})
	tell.Outbox()(outbox.Swept{Report: outbox.Report{Oldest: 90 * time.Second, Keys: 7, Standing: 2, Blocked: 1, Held: 3}})
	require.Equal(t, []string{
		"messaging.client.operation.duration s error.type=unavailable,messaging.destination.name=events,messaging.operation.name=send,messaging.operation.type=send,messaging.system=servicebus n=1",
		"messaging.client.sent.messages {message} error.type=unavailable,messaging.destination.name=events,messaging.operation.name=send,messaging.operation.type=send,messaging.system=servicebus 2",
		"relaybox.broker.pauses {pause} 1",
		"relaybox.cache.pauses {pause} 1",
		"relaybox.cache.reads {read} relaybox.hit=false 1",
		"relaybox.cache.reads {read} relaybox.hit=true 2",
		"relaybox.events.held {try} 1",
		"relaybox.events.missing {event} cloudevents.event_type=t 5",
		"relaybox.events.parked {event} cloudevents.event_type=t 1",
		"relaybox.events.refused {event} error.type=unavailable,relaybox.by=broker,relaybox.next=pause 1",
		"relaybox.events.settled {event} relaybox.from=memory 3",
		"relaybox.events.settled {event} relaybox.from=query 2",
		"relaybox.events.skipped {event} 1",
		"relaybox.fastpath.dropped {key} 1",
		"relaybox.outbox.blocked.keys {key} 1",
		"relaybox.outbox.oldest s 90",
		"relaybox.outbox.parked {event} 2",
		"relaybox.outbox.paused.keys {key} 3",
		"relaybox.outbox.pending.keys {key} 7",
	}, told(t, r))
}

// TestABacklogIsToldWhileItIsNew: the timer may have moved to another instance.
func TestABacklogIsToldWhileItIsNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := sdkmetric.NewManualReader()
		tell, err := telemetry.New(telemetry.Options{Metrics: r})
		require.NoError(t, err)
		require.Empty(t, told(t, r))
		tell.Outbox()(outbox.Swept{Report: outbox.Report{Keys: 1}})
		time.Sleep(4 * time.Minute)
		require.Len(t, told(t, r), 5)
		time.Sleep(2 * time.Minute)
		require.Empty(t, told(t, r))
	})
}
