package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/relaybox/relaybox/test/contract"
)

// TestMain says once, and not once per test, what keeps the app from starting.
func TestMain(m *testing.M) {
	if _, err := functions.New(functions.Deps{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// app is the whole function app on stores in memory.
func app(t *testing.T) (http.Handler, *outboxtest.MemStore, *outboxtest.MemPublisher, *inboxtest.MemStore) {
	t.Helper()
	kinds, err := functions.Kinds()
	require.NoError(t, err)
	store, bus, views := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}, &inboxtest.MemStore{}
	h, err := functions.New(functions.Deps{
		Writer: outbox.NewWriter(store, outbox.WriterOptions{Source: "/test"}), Reader: store,
		Sweeper: outbox.NewDispatcher(store, bus, outbox.DispatcherOptions{}),
		Inbox:   inbox.New(views, kinds.Apply, inbox.Options{StartAnywhere: true}),
		Logger:  slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return h, store, bus, views
}

func call(t *testing.T, h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Azure-Functions-InvocationId", t.Name()+method+path+body)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.NoError(t, contract.Answer(method, r.URL.EscapedPath(), w.Code, w.Header(), w.Body.Bytes()))
	return w
}

const tick = `{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}},"Metadata":{"sys":{"MethodName":"OutboxDispatcher"}}}`

func TestEveryFolderIsServed(t *testing.T) {
	t.Parallel()
	triggers, err := functions.Triggers()
	require.NoError(t, err)
	require.NotEmpty(t, triggers)
	h, _, _, _ := app(t)
	require.Equal(t, 200, call(t, h, "GET", "/", "").Code)
	require.Equal(t, 404, call(t, h, "GET", "/api/nothing", "").Code)
	require.Equal(t, 404, call(t, h, "GET", "/api/profiles/nobody", "").Code)
}

func TestFromRequestToReadModel(t *testing.T) {
	t.Parallel()
	h, store, bus, views := app(t)
	require.Equal(t, 201, call(t, h, "PUT", "/api/profiles/ann", `{"displayName":"Ann","email":"ann@example.com"}`).Code)
	require.Equal(t, 200, call(t, h, "PUT", "/API/Profiles/ann/", `{"displayName":"Ann","email":"ann@example.org"}`).Code)

	w := call(t, h, "POST", "/OutboxDispatcher", tick)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"Outputs":{},"Logs":["swept 1 keys: 3 events sent, 0 parked, 0 keys blocked"],"ReturnValue":null}`, w.Body.String())
	require.NoError(t, outboxtest.CheckDelivered(store, bus))

	for range 2 { // every message twice
		for _, e := range bus.Log() {
			require.NoError(t, contract.Event(e.Envelope))
			w := call(t, h, "POST", "/ConsumeEvent", invocation(e.Envelope, e.ID, e.Key))
			require.Equal(t, 200, w.Code, w.Body)
			require.NotEmpty(t, w.Body.String(), "an empty 2xx would hang the host")
		}
	}
	m, err := views.Load(t.Context(), "profile:ann")
	require.NoError(t, err)
	require.EqualValues(t, 3, m.LastSeq)
	require.Zero(t, m.Gaps)
	require.JSONEq(t, `{"id":"ann","state":{"displayName":"Ann","email":"ann@example.org"},
		"view":{"applied":{"created":1,"updated":1,"email-changed":1}}}`, string(m.Data))
}

func TestFailedSweepIsAFailedInvocation(t *testing.T) {
	t.Parallel()
	h, err := functions.New(functions.Deps{Sweeper: sweep(func() error { return errors.New("the store is away") }), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.Equal(t, 500, call(t, h, "POST", "/OutboxDispatcher", tick).Code)
}

// TestEverySweepIsLogged: the alert on the oldest event reads the line, and another one
// notices when it is absent.
func TestEverySweepIsLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h, err := functions.New(functions.Deps{Sweeper: sweep(func() error { return nil }), Logger: slog.New(slog.NewJSONHandler(&out, nil))})
	require.NoError(t, err)
	require.Equal(t, 200, call(t, h, "POST", "/OutboxDispatcher", tick).Code)
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, "sweep", line["signal"])
	require.Equal(t, 0.0, line["oldestPendingSeconds"])
}

// TestAnIdleSweepTellsTheHostNothing: its log would get a line of each instance every few seconds.
func TestAnIdleSweepTellsTheHostNothing(t *testing.T) {
	t.Parallel()
	for keys, logs := range map[int]int{0: 0, 1: 1} {
		h, err := functions.New(functions.Deps{Sweeper: watched{report: outbox.Report{Keys: keys}}})
		require.NoError(t, err)
		var answer struct{ Logs []string }
		require.NoError(t, json.Unmarshal(call(t, h, "POST", "/OutboxDispatcher", tick).Body.Bytes(), &answer))
		require.Len(t, answer.Logs, logs)
	}
}

func TestAnInvocationWithoutATimerSweepsNothing(t *testing.T) {
	t.Parallel()
	h, err := functions.New(functions.Deps{Sweeper: watched{seen: func(context.Context) { t.Error("swept") }}})
	require.NoError(t, err)
	require.Equal(t, 500, call(t, h, "POST", "/OutboxDispatcher", `{"Data":{},"Metadata":{}}`).Code)
}

// TestDeadlines: each invocation ends in time, and leaves nothing that waits for its end.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deps        functions.Deps
		timer, http time.Duration
	}{
		"default": {functions.Deps{}, 28 * time.Minute, 30 * time.Second},
		"given":   {functions.Deps{Deadline: time.Minute, HTTPDeadline: time.Second}, time.Minute, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var ctx context.Context
				var left time.Duration
				w := watched{seen: func(of context.Context) {
					ctx = of
					end, _ := of.Deadline()
					left = time.Until(end)
				}}
				c.deps.Sweeper, c.deps.Reader = w, w
				h, err := functions.New(c.deps)
				require.NoError(t, err)
				require.Equal(t, 200, call(t, h, "POST", "/OutboxDispatcher", tick).Code)
				require.Equal(t, c.timer, left)
				require.Equal(t, 503, call(t, h, "GET", "/api/profiles/p-1", "").Code)
				require.Equal(t, c.http, left)
				require.Error(t, ctx.Err())
			})
		})
	}
}

// TestFaultsAreLogged: of what an entity's function met, and of a bug.
func TestFaultsAreLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h, err := functions.New(functions.Deps{
		Reader: watched{}, Sweeper: sweep(func() error { panic("a bug") }), Logger: slog.New(slog.NewTextHandler(&out, nil)),
	})
	require.NoError(t, err)
	require.Equal(t, 503, call(t, h, "GET", "/api/profiles/p-1", "").Code)
	require.Contains(t, out.String(), "the store is away")
	require.Equal(t, 500, call(t, h, "POST", "/OutboxDispatcher", tick).Code)
	require.Contains(t, out.String(), "a bug")
}

func TestTheLoggerMayBeNil(t *testing.T) {
	t.Parallel()
	h, err := functions.New(functions.Deps{Sweeper: sweep(func() error { return nil })})
	require.NoError(t, err)
	require.Equal(t, 200, call(t, h, "POST", "/OutboxDispatcher", tick).Code)
}

func TestPanicHarmsNoOther(t *testing.T) {
	t.Parallel()
	h, err := functions.New(functions.Deps{Sweeper: sweep(func() error { panic("a bug") }), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.Equal(t, 500, call(t, h, "POST", "/OutboxDispatcher", tick).Code)
	require.Equal(t, 200, call(t, h, "GET", "/", "").Code)
}

// watched shows what an invocation is called with: as a dispatcher, and as a store that is away.
type watched struct {
	seen   func(context.Context)
	report outbox.Report
}

func (w watched) see(ctx context.Context) {
	if w.seen != nil {
		w.seen(ctx)
	}
}

func (w watched) Sweep(ctx context.Context) (outbox.Report, error) {
	w.see(ctx)
	return w.report, nil
}

func (w watched) Load(ctx context.Context, _ string) (outbox.Entity, error) {
	w.see(ctx)
	return outbox.Entity{}, &outbox.Error{Class: outbox.Unavailable, Err: errors.New("the store is away")}
}

func (w watched) Barrier(context.Context, string) error { return nil }

type sweep func() error

func (s sweep) Sweep(context.Context) (outbox.Report, error) { return outbox.Report{}, s() }
