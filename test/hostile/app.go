package hostile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// App is the whole function app on stores in memory.
type App struct {
	// Contract and Event, unless they are nil, look at every answer and every stored event.
	Contract func(method, path string, status int, header http.Header, body []byte) error
	Event    func(envelope []byte) error

	t     testing.TB
	mux   http.Handler
	store *outboxtest.MemStore
	bus   *outboxtest.MemPublisher
	views *inboxtest.MemStore
}

// NewApp makes one. between, unless it is nil, stands between the functions and the writer.
func NewApp(t testing.TB, between func(entity.Writer) entity.Writer) *App {
	t.Helper()
	kinds, err := functions.Kinds()
	require.NoError(t, err)
	a := &App{t: t, store: &outboxtest.MemStore{}, bus: &outboxtest.MemPublisher{}, views: &inboxtest.MemStore{}}
	var writer entity.Writer = outbox.NewWriter(a.store, outbox.WriterOptions{Source: "/test"})
	if between != nil {
		writer = between(writer)
	}
	a.mux, err = functions.New(functions.Deps{
		Writer: writer, Reader: a.store,
		Sweeper: outbox.NewDispatcher(a.store, a.bus, outbox.DispatcherOptions{}),
		Inbox:   inbox.New(a.views, kinds.Apply, inbox.Options{}),
		Logger:  slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return a
}

// Seed makes what a case in the state "exists" meets.
func (a *App) Seed() {
	for path, body := range map[string]string{
		"/api/profiles/p-1": `{"displayName":"Grace","email":"grace@example.com"}`,
		"/api/orders/o-1":   `{"customer":"c-1","lines":[{"sku":"a","quantity":1,"cents":5}]}`,
	} {
		c := Case{Method: http.MethodPut, Target: path, Body: body, HasBody: true}
		require.Equal(a.t, http.StatusCreated, a.Send(c.Bytes("localhost", "")).Code)
	}
	first := Envelope(map[string]any{"id": "e-1", "sequence": "1", "type": "relaybox.profile.created"})
	require.Equal(a.t, http.StatusOK, a.Invoke(string(Invocation(first, nil))).Code)
}

// Invoke gives ConsumeEvent an invocation.
func (a *App) Invoke(body string) *httptest.ResponseRecorder {
	c := Case{Method: http.MethodPost, Target: "/ConsumeEvent", Body: body, HasBody: true}
	return a.Send(c.Bytes("localhost", ""))
}

// Send reads a request from its bytes, as the handler's server does, and lets the app answer.
func (a *App) Send(raw []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil { // as the server answers it
		w.WriteHeader(http.StatusBadRequest)
		return w
	}
	a.mux.ServeHTTP(w, r.WithContext(a.t.Context()))
	if a.Contract != nil {
		require.NoError(a.t, a.Contract(r.Method, r.URL.EscapedPath(), w.Code, w.Header(), w.Body.Bytes()))
	}
	return w
}

// Fact is what is stored of one entity, receipts apart: those remember answers.
type Fact struct {
	Version int64
	Deleted bool
	Data    string
	Events  []string
	View    inbox.Model
}

// Facts are what is stored. Where a refusal was committed and nothing ever written there is
// an entity of version 0, which is nothing.
func (a *App) Facts() map[string]Fact {
	all := map[string]Fact{}
	for _, key := range append(a.store.Keys(), "profile:ann", "profile:bob", "order:ann") {
		e, err := a.store.Load(a.t.Context(), key)
		require.NoError(a.t, err)
		f := Fact{Version: e.Version, Deleted: e.Deleted, Data: string(e.Data)}
		for _, event := range a.store.Events(key) {
			if a.Event != nil {
				require.NoError(a.t, a.Event(event.Envelope))
			}
			f.Events = append(f.Events, event.ID)
		}
		f.View, err = a.views.Load(a.t.Context(), key)
		require.NoError(a.t, err)
		if e.Version > 0 || len(f.Events) > 0 || f.View.LastSeq > 0 {
			all[key] = f
		}
	}
	return all
}

// Honest says what is stored and was not acknowledged, or acknowledged and is not stored.
func (a *App) Honest(before map[string]Fact, method string, w *httptest.ResponseRecorder) error {
	after := a.Facts()
	if w.Code >= 300 || method == http.MethodGet || method == http.MethodHead {
		if !reflect.DeepEqual(before, after) {
			return fmt.Errorf("answered %d and stored: %v, not %v", w.Code, after, before)
		}
		return nil
	}
	var told struct {
		ID      string
		Version int64
	}
	if w.Code == http.StatusNoContent || json.Unmarshal(w.Body.Bytes(), &told) != nil || told.Version == 0 {
		return nil
	}
	for _, kind := range []string{"profile:", "order:"} {
		if f, ok := after[kind+told.ID]; ok && f.Version == told.Version {
			return nil
		}
	}
	return fmt.Errorf("acknowledged and not stored: %s in %v", w.Body, after)
}

// ETag is that of p-1, which is o-1's too but for its incarnation.
func (a *App) ETag(target string) string {
	c := Case{Method: http.MethodHead, Target: strings.TrimSuffix(strings.TrimSuffix(target, "/ship"), "/cancel")}
	if tag := a.Send(c.Bytes("localhost", "")).Header().Get("ETag"); tag != "" {
		return tag
	}
	return `"1-none"`
}
