// Package entitytest runs one kind of entity as the app does, in memory: for the tests of
// kinds.
//
// Every request is followed to its end: what it wrote is dispatched, and consumed. Each
// event is consumed twice, because a broker may deliver it twice, so a view that counts
// an event two times shows.
package entitytest

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// App is an app of one kind. Its methods fail the test when the kind is at fault.
type App struct {
	t        testing.TB
	kind     string
	kinds    *entity.Kinds
	resource http.Handler
	sweeper  *outbox.Dispatcher
	bus      outboxtest.MemPublisher
	views    inboxtest.MemStore
	inbox    *inbox.Inbox
	consumed int // events of the bus that the views have had
}

// Run returns an App for k without entities. It logs to the test.
func Run[T, V any](t testing.TB, k entity.Kind[T, V]) *App {
	t.Helper()
	a := &App{t: t, kind: k.Name}
	var err error
	if a.kinds, err = entity.NewKinds(k); err != nil {
		t.Fatal(err)
	}
	store := &outboxtest.MemStore{}
	a.resource, err = k.Resource(entity.Deps{
		Writer: outbox.NewWriter(store, outbox.WriterOptions{Source: "/test"}), Reader: store, Kinds: a.kinds,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.sweeper = outbox.NewDispatcher(store, &a.bus, outbox.DispatcherOptions{})
	a.inbox = inbox.New(&a.views, a.kinds.Apply, inbox.Options{})
	return a
}

// Do sends a request and returns the answer's body. The address is an id, or an id and an
// action: "b-1/cancel". Any other status than the one that is wanted fails the test.
func (a *App) Do(method, address, body string, want int) string {
	a.t.Helper()
	id, action, _ := strings.Cut(address, "/")
	r := httptest.NewRequestWithContext(a.t.Context(), method, "/"+address, strings.NewReader(body))
	r.SetPathValue("id", id)
	r.SetPathValue("action", action)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	a.resource.ServeHTTP(w, r)
	if w.Code != want {
		a.t.Fatalf("%s %s: %d, not %d: %s", method, address, w.Code, want, w.Body)
	}
	a.follow()
	return w.Body.String()
}

// follow dispatches and consumes what is new.
func (a *App) follow() {
	a.t.Helper()
	if _, err := a.sweeper.Sweep(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	for _, sent := range a.bus.Log()[a.consumed:] {
		a.consumed++
		for range 2 {
			e, err := a.kinds.Event(sent.Envelope, outbox.Session(sent.Key))
			if err == nil {
				_, err = a.inbox.Once(a.t.Context(), e)
			}
			if err != nil {
				a.t.Fatalf("%s of %s: %v", sent.Type, sent.Key, err)
			}
		}
	}
}

// Events are the names of the entity's events so far, in order.
func (a *App) Events(id string) []string {
	var names []string
	for _, e := range a.bus.Log() {
		if e.Key == outbox.Key(a.kind, id) {
			names = append(names, strings.TrimPrefix(e.Type, "relaybox."+a.kind+"."))
		}
	}
	return names
}

// View reads the entity's view into v, a pointer to the kind's V.
func (a *App) View(id string, v any) {
	a.t.Helper()
	m, _, err := a.views.Load(a.t.Context(), outbox.Key(a.kind, id), "")
	if err != nil {
		a.t.Fatal(err)
	}
	var stored struct{ View json.RawMessage }
	if err := json.Unmarshal(m.Data, &stored); err != nil {
		a.t.Fatalf("view of %s: %v", id, err)
	}
	if err := json.Unmarshal(stored.View, v); err != nil {
		a.t.Fatalf("view of %s: %v", id, err)
	}
}
