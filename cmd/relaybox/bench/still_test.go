package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/cmd/relaybox/parts"
	"github.com/relaybox/relaybox/handler/app"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/minihost"
	"github.com/relaybox/relaybox/local/netsim"
	"github.com/relaybox/relaybox/local/stack"
)

// still is store, bus, host and app in one bubble of fake time, under the SDKs and over
// connections in memory: nothing is spent there but by what a test asks for, and by the
// clock. Everything is owned by the test's goroutine but what says otherwise.
type still struct {
	t          *testing.T
	folder     string // of the app
	settings   map[string]string
	store      *minicosmos.Server
	bus        *minibus.Server
	storeDoor  *netsim.Pipe
	busDoor    *netsim.Pipe
	executions atomic.Int64 // of functions, by all handlers
	client     *http.Client // of the host
	door       atomic.Pointer[netsim.Pipe]
	stop       func()
	started    int
	quietUntil time.Time // when a look for orphans may come, of a handler that has quiet
}

// appFolder is the app without its handler, which runs in the test.
func appFolder(t *testing.T) string {
	t.Helper()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(source, "functions", "*", "function.json"))
	require.NoError(t, err)
	folder := t.TempDir()
	for _, file := range append(files, filepath.Join(source, "host.json")) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		name, err := filepath.Rel(source, file)
		require.NoError(t, err)
		to := filepath.Join(folder, strings.TrimPrefix(name, "functions"))
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o700))
		require.NoError(t, os.WriteFile(to, text, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "handler"), nil, 0o700))
	return folder
}

// inStillness runs a test with a store and a bus that have seen nothing yet. folder is an app's.
func inStillness(t *testing.T, folder string, test func(*still)) {
	t.Helper()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	settings, err := stack.ReadLocalSettings(filepath.Join(source, "local.settings.json.example"))
	require.NoError(t, err)
	parts.OneConsumer(settings)
	synctest.Test(t, func(t *testing.T) {
		s := &still{t: t, folder: folder, settings: settings, storeDoor: netsim.NewPipe(), busDoor: netsim.NewPipe()}
		s.store, err = minicosmos.Open(minicosmos.Options{})
		require.NoError(t, err)
		s.bus, err = minibus.Open(minibus.Options{Config: stack.Topology(settings["EVENTS_TOPIC"], settings["EVENTS_SUBSCRIPTION"])})
		require.NoError(t, err)
		require.NoError(t, s.bus.Inject(minibus.Fault{On: minibus.OnSend, Do: minibus.Delay, Delay: minibus.Duration(1)})) // counts them
		slow := netsim.Wrap(s.storeDoor)
		slow.Delay(2 * time.Millisecond)
		go func() { _ = s.store.Serve(slow) }()
		go func() { _ = s.bus.Serve(s.busDoor) }()
		test(s)
		s.end()
		require.NoError(t, s.bus.Close())
		require.NoError(t, s.store.Close())
		time.Sleep(time.Hour) // what waits for a deadline has ended
	})
}

// start starts a host with the app, with settings over those of the example.
func (s *still) start(settings map[string]string) {
	s.end()
	s.started++
	all := maps.Clone(s.settings)
	maps.Copy(all, settings)
	// The SDK has caches by endpoint, which a new process would not have.
	s.quietUntil = time.Time{}
	if all["AzureWebJobs.OutboxDispatcher.Disabled"] == "true" {
		s.quietUntil = time.Now().Add(45 * time.Second)
	}
	all["COSMOS_CONNECTION"] = s.store.ConnectionString(fmt.Sprintf("http://127.0.0.%d:8081", s.started))
	all["SERVICEBUS_CONNECTION"] = s.bus.ConnectionString("127.0.0.1:5672")
	front := netsim.NewPipe()
	host, err := minihost.Load(minihost.Options{
		App: s.folder, Settings: all, Logger: slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		Inner:   &minihost.Inner{Run: s.handler, Dial: s.dial},
		DialBus: s.busDoor.Dial,
	})
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = host.Run(ctx, front) }()
	transport := &http.Transport{DialContext: ofPipe(front)}
	s.client = &http.Client{Transport: transport}
	s.stop = func() { transport.CloseIdleConnections(); cancel(); <-ended }
	time.Sleep(5 * time.Second) // connections, containers, the first look for orphans
}

func (s *still) end() {
	if s.stop != nil {
		s.stop()
	}
	s.stop = nil
}

func (s *still) dial(ctx context.Context) (net.Conn, error) {
	if door := s.door.Load(); door != nil {
		return door.Dial(ctx)
	}
	return nil, net.ErrClosed
}

func ofPipe(p *netsim.Pipe) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return p.Dial(ctx) }
}

// handler is the life of the app's process.
func (s *still) handler(ctx context.Context, env []string) error {
	environment := map[string]string{}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		environment[name] = value
	}
	cfg, err := config.Load(environment)
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: ofPipe(s.storeDoor), MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	made, err := app.New(cfg, slog.New(slog.DiscardHandler), app.Options{
		Store: cosmos.Options{Transport: transport}, Bus: servicebus.Options{Dial: s.busDoor.Dial},
	})
	if err != nil {
		return err
	}
	door := netsim.NewPipe()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.executions.Add(1)
		made.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(door) }()
	s.door.Store(door)
	running := make(chan struct{})
	go func() { defer close(running); made.Run(ctx) }()
	<-ctx.Done()
	s.door.Store(nil)
	err = server.Close()
	<-running
	return err
}

// put writes a profile of profileBytes, which is another one each time.
func (s *still) put(key string, n int, headers ...string) int {
	return s.send(http.MethodPut, key, body(n), headers...)
}

func (s *still) send(method, key, body string, headers ...string) int {
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://localhost/api/profiles/"+key, strings.NewReader(body))
	require.NoError(s.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(req)
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(s.t, err)
	return resp.StatusCode
}

// invoke has the handler run a function as its host would.
func (s *still) invoke(function string, invocation []byte) {
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) }, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://localhost/"+function, bytes.NewReader(invocation))
	require.NoError(s.t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	require.NoError(s.t, err)
	require.NoError(s.t, resp.Body.Close())
	require.Equal(s.t, http.StatusOK, resp.StatusCode, function)
}

// tick runs a timer function.
func (s *still) tick(function string) {
	s.invoke(function, azfunc.EncodeTimer(azfunc.Call{Function: function, Binding: "timer", Now: time.Now()}, azfunc.Timer{}, nil))
}

// waiting are the messages that nobody consumes, and deliver gives one of them to the consumer.
func (s *still) waiting() []minibus.Message {
	return s.bus.Peek(s.settings["EVENTS_TOPIC"] + "/Subscriptions/" + s.settings["EVENTS_SUBSCRIPTION"])
}

func (s *still) deliver(m minibus.Message) {
	s.invoke("ConsumeEvent", azfunc.EncodeMessage(azfunc.Call{Function: "ConsumeEvent", Binding: "message", Now: time.Now()}, azfunc.Delivery{Message: azfunc.Message{
		Body: m.Body, MessageID: m.MessageID, SessionID: m.SessionID, Subject: m.Subject, ContentType: m.ContentType,
		SequenceNumber: m.SequenceNumber, EnqueuedTime: m.EnqueuedTime, Properties: m.Properties,
	}}, azfunc.Binary))
}

// spent is what something has taken of what is billed.
type spent struct {
	requests      map[string]int64 // to the store, by container and operation
	outbox, inbox float64          // request units
	executions    int64
	sends         int64 // requests to the bus that carried events
}

func (s *still) total() spent {
	all := spent{requests: map[string]int64{}, executions: s.executions.Load()}
	for _, f := range s.bus.Faults() {
		all.sends += int64(f.Fired)
	}
	for _, c := range s.store.Charges() {
		switch c.Container {
		case s.settings["COSMOS_OUTBOX_CONTAINER"]:
			all.outbox += c.RequestUnits
			all.requests["outbox "+string(c.Operation)] += c.Requests
		case s.settings["COSMOS_INBOX_CONTAINER"]:
			all.inbox += c.RequestUnits
			all.requests["inbox "+string(c.Operation)] += c.Requests
		}
	}
	return all
}

// measure is what do takes, with all that comes of it within a second.
func (s *still) measure(do func()) spent {
	before := s.total()
	do()
	time.Sleep(time.Second)
	after := s.total()
	assert.True(s.t, s.quietUntil.IsZero() || time.Now().Before(s.quietUntil), "a look for orphans may be among what is counted: start another handler before")
	for operation, n := range before.requests {
		if after.requests[operation] -= n; after.requests[operation] == 0 {
			delete(after.requests, operation)
		}
	}
	return spent{after.requests, after.outbox - before.outbox, after.inbox - before.inbox, after.executions - before.executions, after.sends - before.sends}
}

// count is of all requests to the store.
func (s spent) count() (sum int64) {
	for _, n := range s.requests {
		sum += n
	}
	return sum
}
