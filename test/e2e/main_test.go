// Package e2e_test runs the built handler under the whole stack: real processes, real
// sockets, the production SDKs.
package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cmd/relaybox/parts"
	"github.com/relaybox/relaybox/internal/history"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/test/contract"
)

// assembled is the app folder that all tests share; TestMain owns it.
var assembled string

func TestMain(m *testing.M) {
	if data := os.Getenv(victimData); data != "" {
		fmt.Fprintln(os.Stderr, victim(data))
		os.Exit(1)
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "relaybox-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	source, err := stack.FindSource(".")
	if err == nil {
		assembled = filepath.Join(dir, "app")
		err = stack.Assemble(context.Background(), stack.Build{Source: source}, assembled)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// system is a running stack with the app's handler, and what its clients were told.
type system struct {
	*stack.Stack
	t      testing.TB
	http   *http.Client
	record *history.Recorder // of profiles; nil keeps nothing
}

// start starts the app, with a sweep each second so that tests of it are short. At the test's
// end its history is judged.
func start(t *testing.T, options ...func(*stack.Config)) *system {
	t.Helper()
	s := &system{t: t, http: &http.Client{Timeout: 30 * time.Second}, record: &history.Recorder{}}
	s.run(t, options...)
	return s
}

// run starts the app on the system's history so far.
func (s *system) run(t *testing.T, options ...func(*stack.Config)) {
	t.Helper()
	s.Stack = stack.RunT(t, append([]func(*stack.Config){func(c *stack.Config) {
		c.App = assembled
		c.Settings = map[string]string{"DISPATCH_SCHEDULE": "* * * * * *", "RELAYBOX_FASTPATH_BUDGET": "1s"}
	}}, append(options, oneConsumer)...)...)
	t.Cleanup(s.judge) // before the stack ends
}

// oneConsumer turns off the others where a test has made a topology without their subscriptions.
func oneConsumer(c *stack.Config) {
	second := func(s minibus.Subscription) bool { return s.Name == stack.Defaults()["MAILING_SUBSCRIPTION"] }
	if c.Topology != nil && !slices.ContainsFunc(c.Topology.Topics[0].Subscriptions, second) {
		parts.OneConsumer(c.Settings)
	}
}

// answer is what a client got.
type answer struct {
	status int
	etag   string
	body   string
}

// call sends one request for a profile, or for what has a slash in its path; a body is
// JSON. It is part of the history.
func (s *system) call(method, path, body string, headers ...string) (answer, error) {
	if !strings.Contains(path, "/") {
		path = "profiles/" + path
	}
	asked := history.Call{Client: s.t.Name(), Target: "host", Method: method, Body: body}
	for i := 0; i+1 < len(headers); i += 2 {
		switch value := headers[i+1]; headers[i] {
		case "If-Match":
			asked.IfMatch = value
		case "If-None-Match":
			asked.IfNoneMatch = value
		case "Idempotency-Key":
			asked.IdempotencyKey = value
		case "Cache-Control":
			asked.Current = value == "no-cache"
		case "Trace": // the id of the client's trace
			asked.Trace = value
		default:
			s.t.Errorf("a history knows no header %s", headers[i])
		}
	}
	got, header, err := history.Client{HTTP: s.http, Record: s.record}.Do(s.t.Context(), profileIn(path), s.HostURL+"/api/"+path, asked)
	if err != nil {
		return answer{}, err
	}
	told := got.Answer
	hosts := told.Status >= 500 && told.Body == "" // its handler is gone
	_, measured := s.t.(*testing.B)                // the check would cost more than the write
	if !hosts && !measured {
		assert.NoError(s.t, contract.Answer(method, "/api/"+path, told.Status, header, []byte(told.Body))) // from any goroutine
	}
	return answer{told.Status, told.ETag, told.Body}, nil
}

// must is call for requests that have to be answered with status.
func (s *system) must(status int, method, path, body string, headers ...string) answer {
	s.t.Helper()
	got, err := s.call(method, path, body, headers...)
	require.NoError(s.t, err)
	require.Equal(s.t, status, got.status, got.body)
	return got
}

// put writes until it is acknowledged, as a client does while a handler dies.
func (s *system) put(id, name string) {
	s.t.Helper()
	body := fmt.Sprintf(`{"displayName":%q}`, name)
	s.eventually(func() bool {
		got, err := s.call(http.MethodPut, id, body)
		return err == nil && got.status < 300
	}, "put %s", id)
}

func (s *system) eventually(done func() bool, format string, args ...any) {
	s.t.Helper()
	require.Eventuallyf(s.t, done, time.Minute, 20*time.Millisecond, format, args...)
}

// model is the consumer's read model of an entity.
type model struct {
	ID, Kind      string
	PK            string `json:"pk"`
	LastSeq, Gaps int64
	Data          struct {
		State *struct {
			DisplayName string // of a profile
			Customer    string // of an order
			Status      string
		}
		View struct {
			Applied map[string]int64 // of a profile
			Due     int64            // of an order
			Ordered int64
			History []struct{ Event string }
		}
	}
}

// model reads the consumer's container behind the app's back; nil while there is none. A
// key without a kind is a profile's.
func (s *system) model(key string) *model {
	if !strings.Contains(key, ":") {
		key = "profile:" + key
	}
	for _, text := range s.Cosmos.Documents(s.Settings["COSMOS_DATABASE"], s.Settings["COSMOS_INBOX_CONTAINER"]) {
		var m model
		require.NoError(s.t, json.Unmarshal(text, &m))
		if m.Kind == "model" && m.PK == key {
			return &m
		}
	}
	return nil
}

// consumed waits until the read model of a key stands at seq.
func (s *system) consumed(key string, seq int64) *model {
	s.t.Helper()
	var m *model
	s.eventually(func() bool {
		m = s.model(key)
		return m != nil && m.LastSeq >= seq
	}, "the model of %s reaches event %d", key, seq)
	require.Equal(s.t, seq, m.LastSeq)
	require.Zero(s.t, m.Gaps)
	return m
}

// pending counts the events that wait in the outbox.
func (s *system) pending() int {
	n := 0
	for _, text := range s.Cosmos.Documents(s.Settings["COSMOS_DATABASE"], s.Settings["COSMOS_OUTBOX_CONTAINER"]) {
		var doc struct {
			Pending, Parked bool
			Envelope        json.RawMessage
		}
		require.NoError(s.t, json.Unmarshal(text, &doc))
		if doc.Envelope != nil {
			require.NoError(s.t, contract.Event(doc.Envelope))
		}
		require.False(s.t, doc.Parked, "an event was parked: %s", text)
		if doc.Pending {
			n++
		}
	}
	return n
}
