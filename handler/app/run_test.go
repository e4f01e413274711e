package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/health"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/outbox"
)

func loaded(t *testing.T, settings map[string]string) config.Config {
	t.Helper()
	all := map[string]string{
		"COSMOS_CONNECTION": "AccountEndpoint=https://a.documents.azure.com/;AccountKey=a2V5", "COSMOS_DATABASE": "relaybox",
		"COSMOS_OUTBOX_CONTAINER": "entities", "COSMOS_INBOX_CONTAINER": "views", "EVENTS_TOPIC": "events",
		"SERVICEBUS_CONNECTION": "Endpoint=sb://127.0.0.1;SharedAccessKeyName=n;SharedAccessKey=a2V5;UseDevelopmentEmulator=true;",
	}
	maps.Copy(all, settings)
	cfg, err := config.Load(all)
	require.NoError(t, err)
	return cfg
}

// TestSettingsArrive where they work: two of one type are easily mixed up.
func TestSettingsArrive(t *testing.T) {
	t.Parallel()
	cfg := loaded(t, map[string]string{
		"EVENTS_TOPIC_PARTITIONED": "true", "RELAYBOX_SOURCE": "/here", "RELAYBOX_FASTPATH_BUDGET": "1s", "RELAYBOX_FASTPATH_QUEUE": "2",
		"RELAYBOX_ORPHAN_LOOK": "3s", "RELAYBOX_SWEEP_BUDGET": "4s", "RELAYBOX_SWEEP_PARALLEL": "5", "RELAYBOX_PARK_AFTER": "6",
		"RELAYBOX_SKIP_PARKED": "true", "RELAYBOX_MAX_EVENT_BYTES": "7000", "RELAYBOX_CACHE_BYTES": "1000", "RELAYBOX_GAP_POLICY": "strict",
		"RELAYBOX_INBOX_HOLD": "8m", "RELAYBOX_INBOX_WAIT": "9s", "RELAYBOX_INBOX_WAITING": "10", "RELAYBOX_EARLY_WAIT": "11m", "RELAYBOX_MAX_DELIVERIES": "12", "RELAYBOX_START_ANYWHERE": "true",
		"RELAYBOX_HEALTH_OLDEST": "12s", "RELAYBOX_HEALTH_PARKED": "13", "RELAYBOX_HEALTH_DEAD_LETTERS": "14",
	})
	require.Equal(t, health.Limits{Oldest: 12 * time.Second, Parked: 13, DeadLetters: 14}, healthOptions(cfg, nil).Limits)
	require.Equal(t, servicebus.PublisherOptions{OneSessionPerBatch: true}, publisherOptions(cfg, nil))
	require.Equal(t, outbox.FastPathOptions{Queue: 2, Budget: time.Second, LookEvery: 3 * time.Second}, fastPathOptions(cfg))

	heard := 0
	dispatcher := dispatcherOptions(cfg, nil, func(outbox.Signal) { heard++ })
	require.Equal(t, outbox.Retry, dispatcher.Policy(outbox.Event{}, nil, 5).Action)
	require.Equal(t, outbox.Park, dispatcher.Policy(outbox.Event{}, nil, 6).Action)
	dispatcher.Observer(nil)
	dispatcher.Policy, dispatcher.Observer = nil, nil
	require.Equal(t, outbox.DispatcherOptions{Parallel: 5, Budget: 4 * time.Second, MinAge: time.Second, SkipParked: true}, dispatcher)

	writer := writerOptions(cfg, func(string, ...outbox.Event) { heard++ }, func(outbox.Signal) { heard++ }, nil)
	writer.Committed("")
	writer.Observer(nil)
	require.Equal(t, 3, heard)
	writer.Committed, writer.Observer = nil, nil
	require.Equal(t, outbox.WriterOptions{Source: "/here", MaxEventBytes: 7000, CacheBytes: 1000}, writer)

	plain := loaded(t, nil)
	require.False(t, publisherOptions(plain, nil).OneSessionPerBatch)
	require.False(t, dispatcherOptions(plain, nil, nil).SkipParked)
	require.Equal(t, 8<<20, writerOptions(plain, nil, nil, nil).CacheBytes)
	require.Equal(t, -1, writerOptions(loaded(t, map[string]string{"RELAYBOX_CACHE_BYTES": "0"}), nil, nil, nil).CacheBytes, "none, and not the default")

	var lines bytes.Buffer
	in := inboxOptions(cfg, func(context.Context) error { heard++; return nil }, observeInbox(slog.New(slog.NewTextHandler(&lines, nil))), nil)
	in.Observer(inbox.Jumped{})
	require.Contains(t, lines.String(), "signal=gap")
	require.NoError(t, in.Reach(t.Context()))
	require.Equal(t, 4, heard)
	in.Observer, in.Reach = nil, nil
	require.Equal(t, inbox.Options{
		Policy: inbox.Strict, Hold: 8 * time.Minute, Wait: 9 * time.Second, MaxWaiting: 10, EarlyWait: 11 * time.Minute, StartAnywhere: true, CacheBytes: 1000, MaxDeliveries: 12,
	}, in)
}

// TestWhoWaitsForTheContainers: nobody who asks whether the handler is up, a client for a
// while, and a message as long as the inbox would hold it.
func TestWhoWaitsForTheContainers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path        string
		ready, left time.Duration // when that happens, 0 for never
		status      int
		after       time.Duration
	}{
		"probe":                {"/", 0, 0, 204, 0},
		"probe of health":      {"/API/Health/live", 0, 0, 204, 0},
		"client":               {"/api/profiles/p-1", 0, 0, 503, 20 * time.Second},
		"client, another case": {"/API/profiles/p-1", 0, 0, 503, 20 * time.Second},
		"client, then ready":   {"/api/profiles/p-1", time.Second, 0, 204, time.Second},
		"client, who leaves":   {"/api/profiles/p-1", 0, time.Second, 503, time.Second},
		"message":              {"/ConsumeEvent", 0, 0, 503, 8 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				served := false
				a := &App{
					cfg: loaded(t, map[string]string{"RELAYBOX_INBOX_HOLD": "8m"}), log: slog.New(slog.DiscardHandler), ready: make(chan struct{}),
					functions: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						served = true
						w.WriteHeader(http.StatusNoContent)
					}),
				}
				if c.ready > 0 {
					time.AfterFunc(c.ready, func() { close(a.ready) })
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.left > 0 {
					time.AfterFunc(c.left, cancel)
				}
				body := strings.NewReader("{}")
				w, began := httptest.NewRecorder(), time.Now()
				a.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "POST", c.path, body))
				require.Equal(t, c.status, w.Code)
				require.Equal(t, c.after, time.Since(began))
				require.Equal(t, c.status != 503, served)
				if c.status == 503 {
					require.Equal(t, "1", w.Header().Get("Retry-After"))
					require.Zero(t, body.Len(), "what is not read would end the connection")
				}
			})
		})
	}
}

// away is a network on which nothing can be reached.
type away struct{}

func (away) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("away") }

// refusing answers the first requests for a new database as who does not know our key.
type refusing struct {
	http.RoundTripper
	left atomic.Int32
}

func (s *refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && r.URL.Path == "/dbs" && s.left.Add(-1) >= 0 {
		return &http.Response{StatusCode: http.StatusUnauthorized, Request: r, Body: http.NoBody}, nil
	}
	return s.RoundTripper.RoundTrip(r)
}

// TestInAzureNothingWaitsForAService that is away at the start.
func TestInAzureNothingWaitsForAService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		a, err := New(loaded(t, nil), slog.New(slog.NewTextHandler(&lines, nil)), Options{
			Store: cosmos.Options{Transport: away{}},
			Bus:   servicebus.Options{Dial: func(context.Context) (net.Conn, error) { return nil, errors.New("away") }},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); a.Run(ctx) }()
		synctest.Wait()
		select {
		case <-a.ready:
		default:
			t.Error("not ready")
		}
		time.Sleep(time.Minute)
		cancel()
		<-done
		require.Contains(t, lines.String(), "cosmos db is not reachable yet", "which the client logs")
		require.Contains(t, lines.String(), "cosmos db does not answer yet")
		require.Contains(t, lines.String(), "service bus does not answer yet")
		time.Sleep(time.Minute) // what still tries to connect ends in its own time
	})
}

// TestFromTheStartToTheTopic: against emulators, one of which refuses us at first.
func TestFromTheStartToTheTopic(t *testing.T) {
	t.Parallel()
	store := minicosmos.RunT(t)
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{Topics: []minibus.Topic{{Name: "events", Subscriptions: []minibus.Subscription{{Name: "all"}}}}}
	})
	cfg := loaded(t, map[string]string{
		"COSMOS_CONNECTION": store.ConnectionString(), "SERVICEBUS_CONNECTION": bus.ConnectionString(),
		"COSMOS_KIND_CONTAINERS": "profile=own-entities/own-views",
	})
	var lines bytes.Buffer
	network := &refusing{RoundTripper: &http.Transport{}}
	network.left.Store(1)
	a, err := New(cfg, slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})), Options{Store: cosmos.Options{Transport: network}})
	require.NoError(t, err)
	require.Equal(t, []string{"entities", "views", "own-entities", "own-views"}, a.containers)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()

	r := httptest.NewRequest("PUT", "/api/profiles/p-1", strings.NewReader(`{"displayName":"Ada"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
	require.Eventually(t, func() bool { return len(bus.Peek("events/Subscriptions/all")) == 1 }, time.Minute, 10*time.Millisecond)
	require.NotEmpty(t, store.Documents("relaybox", "own-entities"))
	require.Empty(t, store.Documents("relaybox", "entities"))
	w = httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("POST", "/OutboxDispatcher", strings.NewReader(`{"Data":{"timer":{}},"Metadata":{}}`)))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())

	cancel()
	<-done
	require.Eventually(t, func() bool { return bus.Links() == 0 }, time.Minute, 5*time.Millisecond, "links of the app's")
	for _, want := range []string{"containers cannot be created; trying again", "containers are there", "signal=sweep", "msg=published key=profile:p-1"} {
		require.Contains(t, lines.String(), want)
	}
}
