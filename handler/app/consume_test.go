package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/nats/jetstream"
)

// plug is an instance's way to the server, until it is pulled.
type plug struct {
	mu     sync.Mutex
	pulled bool
	conns  []net.Conn
}

func (p *plug) dial(network, address string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pulled {
		return nil, net.ErrClosed
	}
	conn, err := net.Dial(network, address)
	p.conns = append(p.conns, conn)
	return conn, err
}

func (p *plug) pull() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulled = true
	for _, conn := range p.conns {
		_ = conn.Close()
	}
}

// model is a read model of a profile.
type model struct {
	LastSeq int64
	Gaps    int64
	Data    struct {
		ID    string
		State struct{ DisplayName string }
		View  struct{ Applied map[string]int64 }
	}
}

// models are the read models in the store, by the profile's id.
func models(t *testing.T, store *minicosmos.Instance) map[string]model {
	t.Helper()
	all := map[string]model{}
	for _, doc := range store.Documents("relaybox", "views") {
		var m model
		require.NoError(t, json.Unmarshal(doc, &m))
		if m.Data.ID != "" {
			all[m.Data.ID] = m
		}
	}
	return all
}

// consuming is an app's configuration that takes its events from the stream.
func consuming(t *testing.T, settings map[string]string) (store *minicosmos.Instance, start func(Options) (instance, func()), view js.JetStream) {
	t.Helper()
	store = minicosmos.RunT(t)
	all := map[string]string{"COSMOS_CONNECTION": store.ConnectionString(), "EVENTS_CONSUMER": "read-models"}
	maps.Copy(all, settings)
	cfg, view := streaming(t, all)
	return store, func(o Options) (instance, func()) { return running(t, cfg, o) }, view
}

// TestEffectsOverAStream: each event once and in order, over two instances of which one is cut off
// with messages in hand, and with copies that the stream does not know as such.
func TestEffectsOverAStream(t *testing.T) {
	t.Parallel()
	const profiles, writes = 10, 12
	store, start, view := consuming(t, nil)
	a, _ := start(Options{})
	lost := &plug{}
	b, _ := start(Options{Stream: jetstream.Options{Dial: lost.dial}})
	for n := range writes {
		for p := range profiles {
			by := []instance{a, b}[(n+p)%2]
			require.Less(t, by.put(fmt.Sprintf("p-%d", p), fmt.Sprintf("name %d", n)), 300)
		}
		if n == writes/2 {
			lost.pull()
		}
	}
	stream, err := view.Stream(t.Context(), "EVENTS")
	require.NoError(t, err)
	copied, err := stream.GetLastMsgForSubject(t.Context(), "events.profile.p-1")
	require.NoError(t, err)
	_, err = view.PublishMsg(t.Context(), &nats.Msg{Subject: copied.Subject, Data: copied.Data, Header: nats.Header{js.MsgIDHeader: {"a copy"}}})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		c, err := stream.Consumer(t.Context(), "read-models")
		require.NoError(t, err)
		i, all := c.CachedInfo(), models(t, store)
		done := i.NumPending == 0 && i.NumAckPending == 0 && len(all) == profiles
		for _, m := range all {
			done = done && m.LastSeq == writes
		}
		return done
	}, time.Minute, 50*time.Millisecond)
	for id, m := range models(t, store) {
		require.Zero(t, m.Gaps, id)
		require.Equal(t, map[string]int64{"created": 1, "updated": writes - 1}, m.Data.View.Applied, id)
		require.Equal(t, fmt.Sprintf("name %d", writes-1), m.Data.State.DisplayName, id)
	}
}

// TestPoisonOnAStream becomes a dead letter with the reason, health is red, and others go by.
func TestPoisonOnAStream(t *testing.T) {
	t.Parallel()
	store, start, view := consuming(t, map[string]string{"RELAYBOX_MAX_DELIVERIES": "2"})
	a, _ := start(Options{})
	for subject, body := range map[string]string{"events.profile.x": "no event", "events.other.y": `{}`} {
		_, err := view.Publish(t.Context(), subject, []byte(body))
		require.NoError(t, err)
	}
	require.Equal(t, http.StatusCreated, a.put("p-1", "Ada"))
	dead, err := view.Stream(t.Context(), "DEAD")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		info, err := dead.Info(t.Context())
		return err == nil && info.State.Msgs == 2 && models(t, store)["p-1"].LastSeq == 1
	}, time.Minute, 10*time.Millisecond)
	letter, err := dead.GetLastMsgForSubject(t.Context(), "dead-letters.read-models.events.profile.x")
	require.NoError(t, err)
	require.Equal(t, string(inbox.BadEnvelope), letter.Header.Get(jetstream.HeaderReason))
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/api/health", nil))
	require.Equal(t, http.StatusServiceUnavailable, w.Code, w.Body.String())
	require.Contains(t, w.Body.String(), "dead")
}

// TestWhatMakesADeadLetter: only what no later delivery mends.
func TestWhatMakesADeadLetter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		reason string // "": none
	}{
		{inbox.Refuse(entity.BadData, "no state"), "bad-data"},
		{errors.New("stored view: not JSON"), "fault"},
		{&inbox.Transient{Err: errors.New("the store is away")}, ""},
		{inbox.ErrConflict, ""},
		{context.DeadlineExceeded, ""},
		{context.Canceled, ""},
		{nil, ""},
	} {
		var got azfunc.Message
		handle := handleWith(func(_ context.Context, msg azfunc.Message) error {
			got = msg
			if c.err == nil {
				return nil
			}
			return fmt.Errorf("message: %w", c.err)
		})
		err := handle(t.Context(), jetstream.Message{ID: "m", Type: "t", Delivery: 17, Counted: 7, Sequence: 8, TraceParent: "00-1", Body: []byte("x"), ReplayFor: "r"})
		require.Equal(t, azfunc.Message{
			MessageID: "m", Subject: "t", DeliveryCount: 7, SequenceNumber: 8, Body: []byte("x"), Properties: map[string]any{"traceparent": "00-1", "tracestate": "", "replayfor": "r"},
		}, got)
		require.ErrorIs(t, err, c.err)
		refused, bad := errors.AsType[*jetstream.Refused](err)
		require.Equal(t, c.reason != "", bad, "%v", c.err)
		if bad {
			require.Equal(t, c.reason, refused.Reason)
			require.True(t, strings.HasPrefix(refused.Error(), c.reason))
		}
	}
}

// TestRuled: a further consumer hears over a stream what its rule would let through, and no more.
func TestRuled(t *testing.T) {
	t.Parallel()
	all, err := functions.Consumers()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	heard := 0
	hear := ruled(all[0], "mailing-list", func(context.Context, azfunc.Message) error { heard++; return errors.New("heard") })
	for _, c := range []struct {
		label, replay string
		wants         bool
	}{
		{"relaybox.profile.created", "", true},
		{"relaybox.profile.updated", "", false},
		{"relaybox.order.created", "", false},
		{"relaybox.profile.snapshot", "mailing-list", true},
		{"relaybox.profile.snapshot", "read-models", false},
	} {
		before := heard
		err := hear(t.Context(), azfunc.Message{Subject: c.label, Properties: map[string]any{replayFor: c.replay}})
		require.Equal(t, c.wants, err != nil, c.label)
		require.Equal(t, c.wants, heard > before, c.label)
	}
}

// TestConsumersInUse: over a stream the host never calls a consumer's function, so turning that off is
// not turning the consumer off.
func TestConsumersInUse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		settings map[string]string
		want     int
	}{
		{map[string]string{"MAILING_SUBSCRIPTION": "list"}, 1},
		{map[string]string{"MAILING_SUBSCRIPTION": "list", "AzureWebJobs.MailingList.Disabled": "true"}, 0},
		{map[string]string{"MAILING_SUBSCRIPTION": "list", "AzureWebJobs.MailingList.Disabled": "true", "EVENTS_BROKER": "jetstream", "NATS_URL": "nats://h:4222", "EVENTS_STREAM": "S"}, 1},
		{map[string]string{"MAILING_SUBSCRIPTION": "", "EVENTS_BROKER": "jetstream", "NATS_URL": "nats://h:4222", "EVENTS_STREAM": "S"}, 0},
	} {
		used, err := inUse(loaded(t, c.settings))
		require.NoError(t, err)
		require.Len(t, used, c.want, "%v", c.settings)
	}
}

// TestOrdersOverAStream are no dead letters of the list, which hears of profiles alone.
func TestOrdersOverAStream(t *testing.T) {
	t.Parallel()
	store, start, view := consuming(t, map[string]string{"MAILING_SUBSCRIPTION": "list", "AzureWebJobs.MailingList.Disabled": "true", "RELAYBOX_MAX_DELIVERIES": "1"})
	stream, err := view.Stream(t.Context(), "EVENTS")
	require.NoError(t, err)
	_, err = stream.CreateConsumer(t.Context(), js.ConsumerConfig{Durable: "list", AckPolicy: js.AckExplicitPolicy, AckWait: 2 * time.Second, MaxDeliver: -1})
	require.NoError(t, err)
	dead, err := view.CreateStream(t.Context(), js.StreamConfig{Name: "DEAD_LIST", Subjects: []string{"dead-letters.list.>"}})
	require.NoError(t, err)
	a, _ := start(Options{})
	require.Equal(t, http.StatusCreated, a.put("p-1", "Ada"))
	r := httptest.NewRequest("PUT", "/api/orders/o-1", strings.NewReader(`{"customer":"p-1","lines":[{"sku":"a","quantity":1}]}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	require.Equal(t, http.StatusCreated, w.Code)
	require.Eventually(t, func() bool {
		c, err := stream.Consumer(t.Context(), "list")
		return err == nil && c.CachedInfo().AckFloor.Stream == 2
	}, time.Minute, 10*time.Millisecond)
	require.Len(t, store.Documents("relaybox", "mailing-list"), 1)
	info, err := dead.Info(t.Context())
	require.NoError(t, err)
	require.Zero(t, info.State.Msgs)
}
