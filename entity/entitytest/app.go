// Package entitytest runs one kind of entity as the app does, in memory: for the tests of
// kinds.
//
// Every request is followed to its end: what it wrote is dispatched, and consumed, each
// event twice, as a broker may deliver it. Apply runs twice for each event on the same view,
// as it does when the store was faster for somebody else: one that is not pure shows.
package entitytest

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/entity/document"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// App is an app of one kind. Its methods fail the test when the kind is at fault.
type App[T, V any] struct {
	t        testing.TB
	kind     string
	changes  map[string][]entity.Change[T] // by id, as the consumer has seen them
	kinds    *entity.Kinds
	resource http.Handler
	sweeper  *outbox.Dispatcher
	bus      outboxtest.MemPublisher
	views    inboxtest.MemStore
	inbox    *inbox.Inbox
	joined   []*Joined
	consumed int // events of the bus that the views have had
}

// Run returns an App for k without entities. It logs to the test.
func Run[T, V any](t testing.TB, k entity.Kind[T, V]) *App[T, V] {
	t.Helper()
	a := &App[T, V]{t: t, kind: k.Name, changes: map[string][]entity.Change[T]{}}
	apply := k.Apply
	k.Apply = func(v V, c entity.Change[T]) (V, error) {
		a.changes[c.ID] = append(a.changes[c.ID], c)
		if apply == nil {
			return v, nil
		}
		before := a.text(v)
		next, err := apply(v, c)
		if once := a.text(next); err == nil {
			if a.text(v) != before {
				t.Errorf("Apply changes the view that it is given, with %s of %q: a store that refuses the result would be shown it again", c.Name, c.ID)
			} else if again, err := apply(v, c); err != nil || a.text(again) != once {
				t.Errorf("Apply is not pure: %s of %q gives %s, and the second time %s (%v)", c.Name, c.ID, once, a.text(again), err)
			}
		}
		return next, err
	}
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

func (a *App[T, V]) text(v V) string {
	text, err := document.Encode(v)
	if err != nil {
		a.t.Errorf("the view of %s cannot be encoded: %v", a.kind, err)
	}
	return string(text)
}

// Answer is what a client gets. The ETag goes into the If-Match of the next request.
type Answer struct{ Body, ETag string }

// Do sends a request; headers are names and values. The address is an id, or an id and an
// action: "b-1/cancel". Any other status than the one that is wanted fails the test.
func (a *App[T, V]) Do(method, address, body string, want int, headers ...string) Answer {
	a.t.Helper()
	id, action, _ := strings.Cut(address, "/")
	r := httptest.NewRequestWithContext(a.t.Context(), method, "/"+address, strings.NewReader(body))
	r.SetPathValue("id", id)
	r.SetPathValue("action", action)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.resource.ServeHTTP(w, r)
	if w.Code != want {
		a.t.Fatalf("%s %s: %d, not %d: %s", method, address, w.Code, want, w.Body)
	}
	a.follow()
	return Answer{Body: w.Body.String(), ETag: w.Header().Get("ETag")}
}

// follow dispatches and consumes what is new.
func (a *App[T, V]) follow() {
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
		for _, j := range a.joined {
			j.hear(sent)
		}
	}
}

// Events are the names of the entity's events so far, in order.
func (a *App[T, V]) Events(id string) []string {
	var names []string
	for _, c := range a.changes[id] {
		names = append(names, c.Name)
	}
	return names
}

// Changes are the entity's events as the kind's Apply got them, with state and detail.
func (a *App[T, V]) Changes(id string) []entity.Change[T] { return a.changes[id] }

// View is what the consumer keeps of the entity beside its state.
func (a *App[T, V]) View(id string) V {
	a.t.Helper()
	m, err := a.views.Load(a.t.Context(), outbox.Key(a.kind, id))
	var stored struct{ View V }
	if err == nil {
		err = json.Unmarshal(m.Data, &stored)
	}
	if err != nil {
		a.t.Fatalf("view of %s: %v", id, err)
	}
	return stored.View
}
