package hostile_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	"github.com/relaybox/relaybox/test/contract"
	"github.com/relaybox/relaybox/test/hostile"
)

// app is the whole function app on stores in memory.
type app struct {
	t     testing.TB
	mux   http.Handler
	store *outboxtest.MemStore
	bus   *outboxtest.MemPublisher
	views *inboxtest.MemStore
}

func newApp(t testing.TB) *app { return newAppOf(t, func(w entity.Writer) entity.Writer { return w }) }

// newAppOf is newApp with something between the functions and the writer.
func newAppOf(t testing.TB, between func(entity.Writer) entity.Writer) *app {
	t.Helper()
	kinds, err := functions.Kinds()
	require.NoError(t, err)
	a := &app{t: t, store: &outboxtest.MemStore{}, bus: &outboxtest.MemPublisher{}, views: &inboxtest.MemStore{}}
	a.mux, err = functions.New(functions.Deps{
		Writer: between(outbox.NewWriter(a.store, outbox.WriterOptions{Source: "/test"})), Reader: a.store,
		Sweeper: outbox.NewDispatcher(a.store, a.bus, outbox.DispatcherOptions{}),
		Inbox:   inbox.New(a.views, kinds.Apply, inbox.Options{}),
		Logger:  slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return a
}

// seed makes what a case in the state "exists" meets.
func (a *app) seed() {
	for path, body := range map[string]string{
		"/api/profiles/p-1": `{"displayName":"Grace","email":"grace@example.com"}`,
		"/api/orders/o-1":   `{"customer":"c-1","lines":[{"sku":"a","quantity":1,"cents":5}]}`,
	} {
		c := hostile.Case{Method: http.MethodPut, Target: path, Body: body, HasBody: true}
		require.Equal(a.t, http.StatusCreated, a.send(c.Bytes("localhost", "")).Code)
	}
	first := hostile.Envelope(map[string]any{"id": "e-1", "sequence": "1", "type": "relaybox.profile.created"})
	require.Equal(a.t, http.StatusOK, a.invoke(string(hostile.Invocation(first, nil))).Code)
}

func (a *app) invoke(body string) *httptest.ResponseRecorder {
	c := hostile.Case{Method: http.MethodPost, Target: "/ConsumeEvent", Body: body, HasBody: true}
	return a.send(c.Bytes("localhost", ""))
}

// send reads a request from its bytes, as the handler's server does, and lets the app answer.
func (a *app) send(raw []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil { // as the server answers it
		w.WriteHeader(http.StatusBadRequest)
		return w
	}
	a.mux.ServeHTTP(w, r.WithContext(a.t.Context()))
	require.NoError(a.t, contract.Answer(r.Method, r.URL.EscapedPath(), w.Code, w.Header(), w.Body.Bytes()))
	return w
}

// fact is what is stored of one entity, receipts apart: those remember answers.
type fact struct {
	Version int64
	Deleted bool
	Data    string
	Events  []string
	View    inbox.Model
}

// facts are what is stored. Where a refusal was committed and nothing ever written there is
// an entity of version 0, which is nothing.
func (a *app) facts() map[string]fact {
	all := map[string]fact{}
	for _, key := range append(a.store.Keys(), "profile:ann", "profile:bob", "order:ann") {
		e, _, err := a.store.Load(a.t.Context(), key, "")
		require.NoError(a.t, err)
		f := fact{Version: e.Version, Deleted: e.Deleted, Data: string(e.Data)}
		for _, event := range a.store.Events(key) {
			require.NoError(a.t, contract.Event(event.Envelope))
			f.Events = append(f.Events, event.ID)
		}
		f.View, _, err = a.views.Load(a.t.Context(), key, "")
		require.NoError(a.t, err)
		if e.Version > 0 || len(f.Events) > 0 || f.View.LastSeq > 0 {
			all[key] = f
		}
	}
	return all
}

// honest says what is stored and was not acknowledged, or acknowledged and is not stored.
func (a *app) honest(before map[string]fact, method string, w *httptest.ResponseRecorder) error {
	after := a.facts()
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

// etag is that of p-1, which is o-1's too but for its incarnation.
func (a *app) etag(target string) string {
	c := hostile.Case{Method: http.MethodHead, Target: strings.TrimSuffix(strings.TrimSuffix(target, "/ship"), "/cancel")}
	if tag := a.send(c.Bytes("localhost", "")).Header().Get("ETag"); tag != "" {
		return tag
	}
	return `"1-none"`
}

// liar stores what it says it has not, or says that it has stored what it has not.
type liar struct {
	entity.Writer
	stores bool
}

func (l liar) Write(ctx context.Context, r outbox.Request) (outbox.Answer, error) {
	if l.stores {
		_, err := l.Writer.Write(ctx, r)
		return outbox.Answer{}, errors.Join(err, outbox.ErrContended)
	}
	return outbox.Answer{Status: http.StatusOK, ETag: `"2-x"`, Body: []byte(`{"id":"p-1","displayName":"Ada","version":2,"updatedAt":"2026-01-01T00:00:00Z"}`)}, nil
}

// TestTheCheckCanFail: one that cannot proves nothing.
func TestTheCheckCanFail(t *testing.T) {
	t.Parallel()
	for says, stores := range map[string]bool{"answered 503 and stored": true, "acknowledged and not stored": false} {
		a := newAppOf(t, func(w entity.Writer) entity.Writer { return liar{w, stores} })
		before := a.facts()
		c := hostile.Case{Method: http.MethodPut, Target: "/api/profiles/p-1", Body: `{"displayName":"Ada"}`, HasBody: true}
		require.ErrorContains(t, a.honest(before, c.Method, a.send(c.Bytes("localhost", ""))), says)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	cases := hostile.Requests()
	require.GreaterOrEqual(t, len(cases), 300)
	for _, c := range cases {
		for _, state := range []string{"absent", "exists"} {
			t.Run(c.Name+", "+state, func(t *testing.T) {
				t.Parallel()
				a := newApp(t)
				if state == "exists" {
					a.seed()
				}
				raw := c.Bytes("localhost", a.etag(c.Target))
				before := a.facts()
				w := a.send(raw)
				want := c.Want(state)
				require.NoError(t, want.Check(w.Code, w.Header(), bytes.NewReader(w.Body.Bytes())))
				if want.Status >= 400 && c.Method != http.MethodHead && w.Body.Len() > 0 {
					require.NotEmpty(t, hostile.Problem(w.Header(), w.Body.Bytes()), "a refusal names what is wrong: %s", w.Body)
				}
				require.NoError(t, a.honest(before, c.Method, w))
			})
		}
	}
}

func TestInvocations(t *testing.T) {
	t.Parallel()
	for _, c := range hostile.Invocations() {
		for _, state := range []string{"absent", "exists"} {
			t.Run(c.Name+", "+state, func(t *testing.T) {
				t.Parallel()
				a := newApp(t)
				if state == "exists" {
					a.seed()
				}
				before := a.facts()
				w := a.send(c.Bytes("localhost", ""))
				want := c.Want(state)
				require.Equal(t, want.Status, w.Code, w.Body)
				require.NotEmpty(t, w.Body.String(), "the host waits for ever for an empty answer")
				require.Contains(t, w.Body.String(), want.Says)
				switch {
				case want.Status == http.StatusMethodNotAllowed, want.Status == http.StatusNotFound:
				case want.Status == http.StatusOK:
					require.JSONEq(t, `[]`, logs(t, w.Body.Bytes(), c.Target))
				case want.Kind == "-":
					require.NotContains(t, w.Body.String(), "bad-")
				default:
					require.Contains(t, w.Body.String(), want.Kind+": ")
				}
				if want.Status != http.StatusOK {
					require.Equal(t, before, a.facts())
				}
			})
		}
	}
}

// logs are what a function says of itself; a sweep may have something to tell.
func logs(t *testing.T, body []byte, target string) string {
	t.Helper()
	var doc struct{ Logs json.RawMessage }
	require.NoError(t, json.Unmarshal(body, &doc))
	if target == "/OutboxDispatcher" {
		return `[]`
	}
	return string(doc.Logs)
}

// FuzzRequest sends bytes that begin as the table's.
func FuzzRequest(f *testing.F) {
	for _, c := range hostile.Requests() {
		if raw := c.Bytes("localhost", `"1-none"`); len(raw) < 4<<10 {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 64<<10 {
			return
		}
		a := newApp(t)
		a.seed()
		before := a.facts()
		method, _, _ := bytes.Cut(raw, []byte(" "))
		w := a.send(raw)
		require.NotEqual(t, http.StatusInternalServerError, w.Code, "%s", w.Body)
		require.NoError(t, a.honest(before, string(method), w))
	})
}

// FuzzInvocation gives ConsumeEvent messages that begin as the table's.
func FuzzInvocation(f *testing.F) {
	for _, c := range hostile.Invocations() {
		if len(c.Body) < 4<<10 {
			f.Add(c.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) > 64<<10 {
			return
		}
		a := newApp(t)
		a.seed()
		before := a.facts()
		if w := a.invoke(body); w.Code != http.StatusOK {
			require.Equal(t, http.StatusInternalServerError, w.Code)
			require.Equal(t, before, a.facts(), "%s", w.Body)
		}
	})
}
