package telemetry_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/telemetry"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// app is the function app on stores in memory, with what it tells.
type app struct {
	t          testing.TB
	tell       *telemetry.Telemetry
	spans      *tracetest.SpanRecorder
	metrics    *sdkmetric.ManualReader
	handler    http.Handler
	store      *outboxtest.MemStore
	bus        *outboxtest.MemPublisher
	dispatcher *outbox.Dispatcher
}

// telling makes the app as package handler/app does.
func telling(t testing.TB, log io.Writer) *app {
	t.Helper()
	a := &app{t: t, spans: tracetest.NewSpanRecorder(), metrics: sdkmetric.NewManualReader(), store: &outboxtest.MemStore{}, bus: &outboxtest.MemPublisher{}}
	var err error
	a.tell, err = telemetry.New(telemetry.Options{Spans: a.spans, Metrics: a.metrics})
	require.NoError(t, err)
	a.serve(log)
	return a
}

func (a *app) serve(log io.Writer) {
	kinds, err := functions.Kinds()
	require.NoError(a.t, err)
	in := inbox.New(&inboxtest.MemStore{}, kinds.Apply, inbox.Options{Observer: a.tell.Consumer(), Tracer: a.tell.Effects()})
	a.dispatcher = outbox.NewDispatcher(a.store, sending{a.bus, a.tell.Bus()}, outbox.DispatcherOptions{Observer: a.tell.Outbox()})
	deps := functions.Deps{
		Writer: outbox.NewWriter(a.store, outbox.WriterOptions{Source: "/test", Observer: a.tell.Outbox(), Tracer: a.tell.Writer()}), Reader: a.store,
		Sweeper: a.dispatcher, Inbox: in, Logger: slog.New(telemetry.Correlated(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		Follow: a.tell.Follow(func(name string) bool { return name == "OutboxDispatcher" }),
	}
	if a.tell != nil {
		deps.Inbox = a.tell.Inbox(in, "events", "views")
	}
	a.handler, err = functions.New(deps)
	require.NoError(a.t, err)
}

// sending is a publisher whose sends are told as those of azure/servicebus are.
type sending struct {
	*outboxtest.MemPublisher
	observer servicebus.Observer
}

func (s sending) Publish(ctx context.Context, events []outbox.Event) []error {
	began := time.Now()
	results := s.MemPublisher.Publish(ctx, events)
	if s.observer != nil {
		sent := servicebus.Sent{Topic: "events", Began: began, Took: time.Since(began), Err: results[0]}
		for i := range events {
			sent.Events = append(sent.Events, &events[i])
		}
		s.observer(sent)
	}
	return results
}

const (
	clients = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	hosts   = "00-11111111111111111111111111111111-2222222222222222-01"
)

func (a *app) call(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(a.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Azure-Functions-InvocationId", "i-1")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

// deliver is what the host does with an event that was sent.
func (a *app) deliver(e outbox.Event, header ...string) *httptest.ResponseRecorder {
	return a.message(e.Envelope, e.Trace.Parent, header...)
}

func (a *app) message(body []byte, traceparent string, header ...string) *httptest.ResponseRecorder {
	data, _ := json.Marshal(base64.StdEncoding.EncodeToString(body))
	return a.call("POST", "/ConsumeEvent", fmt.Sprintf(`{"Data":{"message":%s},"Metadata":{"DeliveryCount":"1","MessageId":"\"m-1\"","ApplicationProperties":{"traceparent":%q}}}`, data, traceparent), header...)
}

// named are the spans of a name that have ended.
func (a *app) named(name string) (found []sdktrace.ReadOnlySpan) {
	for _, s := range a.spans.Ended() {
		if s.Name() == name {
			found = append(found, s)
		}
	}
	return found
}

func (a *app) only(name string) sdktrace.ReadOnlySpan {
	a.t.Helper()
	found := a.named(name)
	require.Len(a.t, found, 1, name)
	return found[0]
}

func attributesOf(s sdktrace.ReadOnlySpan) map[string]any {
	all := map[string]any{}
	for _, a := range s.Attributes() {
		all[string(a.Key)] = a.Value.AsInterface()
	}
	return all
}

// below says that a span stands directly below another one, in its trace.
func below(t *testing.T, parent, child sdktrace.ReadOnlySpan) {
	t.Helper()
	require.Equal(t, parent.SpanContext().TraceID(), child.SpanContext().TraceID())
	require.Equal(t, parent.SpanContext().SpanID(), child.Parent().SpanID())
}

// TestOneTrace leads from the client to the effect, whoever sends the event.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	a := telling(t, io.Discard)
	require.Equal(t, 201, a.call("PUT", "/api/profiles/ada", `{"displayName":"Ada"}`, "traceparent", clients, "tracestate", "a=b").Code)
	require.Equal(t, 200, a.call("POST", "/OutboxDispatcher", `{"Data":{"timer":{}},"Metadata":{}}`, "traceparent", hosts).Code)
	sent := a.bus.Log()
	require.Len(t, sent, 1)
	require.Equal(t, 200, a.deliver(sent[0], "traceparent", hosts).Code)

	request := a.only("PUT /api/profiles/{id}")
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", request.SpanContext().TraceID().String())
	require.Equal(t, "b7ad6b7169203331", request.Parent().SpanID().String())
	require.Equal(t, "server", request.SpanKind().String())
	require.Equal(t, "a=b", request.SpanContext().TraceState().String())
	require.Subset(t, attributesOf(request), map[string]any{
		"http.request.method": "PUT", "http.route": "/api/profiles/{id}", "url.path": "/api/profiles/ada", "http.response.status_code": int64(201), "faas.invocation_id": "i-1",
	})
	below(t, request, a.only("commit"))
	require.Equal(t, "00-"+request.SpanContext().TraceID().String()+"-"+request.SpanContext().SpanID().String()+"-01", sent[0].Trace.Parent, "the event takes the request's span with it")
	require.Equal(t, "a=b", sent[0].Trace.State)

	send := a.only("send events")
	below(t, request, send)
	require.Equal(t, "client", send.SpanKind().String())
	require.Subset(t, attributesOf(send), map[string]any{
		"messaging.system": "servicebus", "messaging.operation.type": "send", "messaging.destination.name": "events",
		"messaging.message.id": sent[0].ID, "relaybox.key": "profile:ada", "relaybox.seq": int64(1),
	})

	process := a.only("process events")
	below(t, request, process)
	require.Equal(t, "consumer", process.SpanKind().String())
	require.Len(t, process.Links(), 1, "to the host's own trace")
	require.Equal(t, strings.Split(hosts, "-")[2], process.Links()[0].SpanContext.SpanID().String())
	require.Subset(t, attributesOf(process), map[string]any{
		"messaging.destination.subscription.name": "views", "messaging.message.id": "m-1", "messaging.servicebus.message.delivery_count": int64(1),
		"relaybox.outcome": "applied", "relaybox.key": "profile:ada", "cloudevents.event_type": "relaybox.profile.created",
	})
	below(t, process, a.only("apply"))

	sweep := a.only("OutboxDispatcher")
	require.Equal(t, strings.Split(hosts, "-")[1], sweep.SpanContext().TraceID().String(), "the sweep itself is the host's")
}

// TestAHostThatGoesOnInTheTrace stands between the event and its consumer.
func TestAHostThatGoesOnInTheTrace(t *testing.T) {
	t.Parallel()
	a := telling(t, io.Discard)
	require.Equal(t, 201, a.call("PUT", "/api/profiles/ada", `{"displayName":"Ada"}`, "traceparent", clients).Code)
	_, err := a.dispatcher.Drain(t.Context(), "profile:ada", time.Second)
	require.NoError(t, err)
	between := "00-0af7651916cd43dd8448eb211c80319c-3333333333333333-01"
	require.Equal(t, 200, a.deliver(a.bus.Log()[0], "traceparent", between).Code)
	process := a.only("process events")
	require.Equal(t, "3333333333333333", process.Parent().SpanID().String())
	require.Empty(t, process.Links())
}

// TestATraceThatBeginsHere: no client has sent one, or none that can be read.
func TestATraceThatBeginsHere(t *testing.T) {
	t.Parallel()
	for name, header := range map[string][]string{"none": nil, "malformed": {"traceparent", "00-zz", "tracestate", "a=b"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := telling(t, io.Discard)
			require.Equal(t, 201, a.call("PUT", "/api/profiles/ada", `{"displayName":"Ada"}`, header...).Code)
			request := a.only("PUT /api/profiles/{id}")
			require.False(t, request.Parent().IsValid())
			e := a.store.Events("profile:ada")[0]
			require.Contains(t, e.Trace.Parent, request.SpanContext().SpanID().String())
			require.Empty(t, e.Trace.State)
		})
	}
}

// TestAnEarlyEventHasItsEffectInItsOwnTrace, although another's message brings it.
func TestAnEarlyEventHasItsEffectInItsOwnTrace(t *testing.T) {
	t.Parallel()
	a := telling(t, io.Discard)
	for n := range 2 {
		require.Less(t, a.call("PUT", "/api/profiles/ada", fmt.Sprintf(`{"displayName":"Ada %d"}`, n)).Code, 300)
	}
	_, err := a.dispatcher.Drain(t.Context(), "profile:ada", time.Second)
	require.NoError(t, err)
	sent := a.bus.Log()
	require.Equal(t, 200, a.deliver(sent[1]).Code)
	require.Equal(t, 200, a.deliver(sent[0]).Code)
	process := a.named("process events")
	require.Equal(t, "early", attributesOf(process[0])["relaybox.outcome"])
	require.Equal(t, "applied", attributesOf(process[1])["relaybox.outcome"])
	applies := a.named("apply")
	require.Len(t, applies, 3)
	below(t, process[0], applies[0])
	require.Equal(t, true, attributesOf(applies[0])["relaybox.early"])
	later := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range applies[1:] {
		require.Equal(t, false, attributesOf(s)["relaybox.early"])
		later[fmt.Sprint(attributesOf(s)["relaybox.seq"])] = s
	}
	below(t, process[1], later["1"])
	below(t, process[0], later["2"])
	require.Len(t, later["1"].Links(), 1, "one write for both")
	require.Len(t, later["2"].Links(), 1)
}

// TestWhatGoesWrongIsSeen in its span.
func TestWhatGoesWrongIsSeen(t *testing.T) {
	t.Parallel()
	a := telling(t, io.Discard)
	require.Equal(t, 500, a.message([]byte(`{"no":"event"}`), clients).Code)
	process := a.only("process events")
	require.Equal(t, "Error", process.Status().Code.String())
	require.Equal(t, "refused", attributesOf(process)["relaybox.outcome"])
	require.Equal(t, strings.Split(clients, "-")[1], process.SpanContext().TraceID().String())

	require.Equal(t, 500, a.call("POST", "/OutboxDispatcher", `{}`).Code)
	require.Equal(t, "Error", a.only("OutboxDispatcher").Status().Code.String())
	require.Equal(t, 404, a.call("GET", "/api/profiles/nobody", "").Code)
	require.Equal(t, "Unset", a.only("GET /api/profiles/{id}").Status().Code.String(), "the client's fault is no fault of ours")
}

// TestWhatIsDoneForSeveral is in the trace of each, with a link.
func TestWhatIsDoneForSeveral(t *testing.T) {
	t.Parallel()
	a := telling(t, io.Discard)
	of := func(n int) string { return fmt.Sprintf("00-%032x-%016x-01", n, n) }
	ctx, end := a.tell.Writer()(t.Context(), []outbox.Trace{{}, {Parent: of(1)}, {Parent: of(2)}, {Parent: of(1)}, {Parent: "?"}, {Parent: of(3)}})
	end()
	commits := a.named("commit")
	require.Len(t, commits, 3, "one for each trace")
	first := commits[0].SpanContext()
	require.Equal(t, first.SpanID(), a.spanIn(ctx), "which stands for the work")
	for i, s := range commits {
		require.Equal(t, fmt.Sprintf("%032x", i+1), s.SpanContext().TraceID().String())
		if i > 0 {
			require.Len(t, s.Links(), 1)
			require.Equal(t, first.SpanID(), s.Links()[0].SpanContext.SpanID())
		}
	}
	require.Len(t, commits[0].Links(), 2)
	require.Equal(t, fmt.Sprintf("%016x", 3), commits[0].Links()[1].SpanContext.SpanID().String())

	none, end := a.tell.Writer()(t.Context(), []outbox.Trace{{}})
	end()
	require.Equal(t, t.Context(), none)

	events := []*outbox.Event{{ID: "a", Trace: outbox.Trace{Parent: of(1)}}, {ID: "b", Trace: outbox.Trace{Parent: of(1)}}, {ID: "c", Trace: outbox.Trace{Parent: of(4)}}}
	a.tell.Bus()(servicebus.Sent{Topic: "events", Events: events, Began: time.Now(), Err: &outbox.Error{Class: outbox.Unavailable, Op: "send", Err: io.EOF}})
	sends := a.named("send events")
	require.Len(t, sends, 3, "each event is a message of its own")
	for i, s := range sends {
		require.Equal(t, events[i].ID, attributesOf(s)["messaging.message.id"])
		require.Equal(t, int64(3), attributesOf(s)["messaging.batch.message_count"])
		require.Equal(t, "Error", s.Status().Code.String())
		require.NotEmpty(t, s.Links())
	}
}

// TestManyAtOnce: requests that meet in one batch, each with its own trace, under the race
// detector.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	a := telling(t, io.Discard)
	const writers = 20
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() {
			w := a.call("PUT", "/api/profiles/ada", fmt.Sprintf(`{"displayName":"Ada %d"}`, n))
			require.Less(a.t, w.Code, 300)
		})
	}
	all.Wait()
	_, err := a.dispatcher.Drain(t.Context(), "profile:ada", time.Second)
	require.NoError(t, err)
	for _, e := range a.bus.Log() {
		all.Go(func() { require.Equal(a.t, 200, a.deliver(e).Code) })
	}
	all.Wait()
	requests := map[string]bool{}
	for _, s := range a.named("PUT /api/profiles/{id}") {
		requests[s.SpanContext().SpanID().String()] = true
	}
	require.Len(t, requests, writers)
	commits := map[string]bool{}
	for _, s := range a.named("commit") {
		require.True(t, requests[s.Parent().SpanID().String()])
		commits[s.Parent().SpanID().String()] = true
	}
	require.Len(t, commits, writers, "each request has its commit")
	require.Len(t, a.named("send events"), writers)
	processed := map[string]bool{}
	for _, s := range a.named("process events") {
		require.True(t, requests[s.Parent().SpanID().String()])
		processed[s.SpanContext().SpanID().String()] = true
	}
	require.Len(t, processed, writers)
	for _, s := range a.named("apply") {
		if attributesOf(s)["relaybox.early"] == false {
			delete(processed, s.Parent().SpanID().String())
		}
	}
	require.Empty(t, processed, "each message has its effect")
}

func (a *app) spanIn(ctx context.Context) trace.SpanID {
	return trace.SpanContextFromContext(ctx).SpanID()
}
