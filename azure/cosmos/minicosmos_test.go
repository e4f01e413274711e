package cosmos

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/netsim"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/stretchr/testify/require"
)

// connected returns a client whose database has the containers outbox and inbox.
func connected(t *testing.T, connectionString string) *Client {
	c := Open(Connection{ConnectionString: connectionString}, Options{})
	t.Cleanup(c.Close)
	require.NoError(t, c.EnsureContainers(t.Context(), "relaybox", "outbox", "inbox"))
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	c := connected(t, server.ConnectionString())
	t.Run("Outbox", func(t *testing.T) {
		outboxtest.TestStore(t, func(*testing.T) outboxtest.Storage { return c.Outbox("relaybox", "outbox", OutboxOptions{FindPage: 3}) })
	})
	t.Run("Desk", func(t *testing.T) {
		outboxtest.TestDesk(t, func(*testing.T) outboxtest.Counter { return c.Outbox("relaybox", "outbox", OutboxOptions{FindPage: 3}) })
	})
	t.Run("Replay", func(t *testing.T) {
		outboxtest.TestReplay(t, func(*testing.T) outboxtest.Replayed {
			return c.Outbox("relaybox", "outbox", OutboxOptions{FindPage: 3})
		})
	})
	t.Run("Inbox", func(t *testing.T) {
		inboxtest.TestStore(t, func(*testing.T) inbox.Store { return c.Inbox("relaybox", "inbox", InboxOptions{}) })
	})
}

func TestStoredDocuments(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	c := connected(t, server.ConnectionString())
	require.NoError(t, c.EnsureContainers(t.Context(), "relaybox", "outbox", "inbox"), "again is fine")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	_, err := c.Outbox("relaybox", "outbox", OutboxOptions{}).Commit(t.Context(), outbox.Commit{
		Key:      "p-1",
		Entity:   outbox.Entity{Key: "p-1", Version: 1, LastSeq: 1, Incarnation: outbox.Incarnation{ID: "i-1", First: 1, Since: at, Drawn: at}, Place: "r", Batch: "b", Data: []byte(`{"a":1}`), UpdatedAt: at},
		Events:   []outbox.Event{{Key: "p-1", Seq: 1, Incarnation: "i-1", ID: "e-1", Type: "t", Envelope: []byte(`{"id":"e-1"}`), Trace: outbox.Trace{Parent: "tp"}, CreatedAt: at}},
		Receipts: []outbox.Receipt{{ID: "rq-1", RequestHash: "h", Batch: "b", Answer: outbox.Answer{Status: 201, ETag: `"1"`}}},
	})
	require.NoError(t, err)
	life := inbox.Incarnation{ID: "i-1", First: 1, Since: at, Drawn: at}
	views := c.Inbox("relaybox", "inbox", InboxOptions{})
	early := inbox.Early{Event: inbox.Event{Key: "p-1", Seq: 7, Incarnation: life, ID: "e-7", Type: "t", Data: []byte(`{"b":2}`)}, Since: at}
	change := inbox.Change{Model: inbox.Model{
		Key: "p-1", LastSeq: 5, Incarnation: life, Gaps: 2, Missed: inbox.Numbers{}.With(2, 3), Early: inbox.Numbers{}.With(7, 7), Data: []byte(`{"a":1}`),
	}, Add: []inbox.Early{early}}
	change.Model.Revision, err = views.Commit(t.Context(), change)
	require.NoError(t, err)

	requireDocuments(t, server.Documents("relaybox", "outbox"), map[string]string{
		"entity":                  `{"id":"entity","pk":"p-1","kind":"entity","version":1,"lastSeq":1,"incarnation":{"id":"i-1","first":1,"since":"2026-01-02T03:04:05Z","drawn":"2026-01-02T03:04:05Z"},"place":"r","batch":"b","data":{"a":1},"updatedAt":"2026-01-02T03:04:05Z"}`,
		"ob-00000000000000000001": `{"id":"ob-00000000000000000001","pk":"p-1","kind":"event","pending":true,"seq":1,"incarnation":"i-1","eventId":"e-1","type":"t","envelope":{"id":"e-1"},"traceparent":"tp","createdAt":"2026-01-02T03:04:05Z"}`,
		"rq-1":                    `{"id":"rq-1","pk":"p-1","kind":"receipt","requestHash":"h","batch":"b","answer":{"status":201,"etag":"\"1\""},"ttl":86400}`,
	})
	requireDocuments(t, server.Documents("relaybox", "inbox"), map[string]string{
		"model":                       `{"id":"model","pk":"p-1","kind":"model","lastSeq":5,"incarnation":{"id":"i-1","first":1,"since":"2026-01-02T03:04:05Z","drawn":"2026-01-02T03:04:05Z"},"gaps":2,"missed":[[2,3]],"early":[[7,7]],"data":{"a":1}}`,
		"ea-00000000000000000007-i-1": `{"id":"ea-00000000000000000007-i-1","pk":"p-1","kind":"early","seq":7,"earlySince":1767323045000,"event":{"key":"p-1","seq":7,"incarnation":{"id":"i-1","first":1,"since":"2026-01-02T03:04:05Z","drawn":"2026-01-02T03:04:05Z"},"id":"e-7","type":"t","data":{"b":2}}}`,
	})
	change.Add, change.Refuse = nil, []inbox.Refused{{Early: early, Reason: "no such thing"}}
	_, err = views.Commit(t.Context(), change)
	require.NoError(t, err)
	for _, doc := range server.Documents("relaybox", "inbox") {
		if strings.Contains(string(doc), `"e-7"`) {
			require.Contains(t, string(doc), `"refused":"no such thing"`)
			require.NotContains(t, string(doc), "earlySince")
		}
	}

	box := c.Outbox("relaybox", "outbox", OutboxOptions{})
	events, err := box.Pending(t.Context(), "p-1", 0, 1)
	require.NoError(t, err)
	require.NoError(t, box.Park(t.Context(), events[0], outbox.Fault{Reason: "r", At: at, Attempts: 3}))
	for _, doc := range server.Documents("relaybox", "outbox") {
		if strings.Contains(string(doc), `"e-1"`) {
			requireDocuments(t, []json.RawMessage{doc}, map[string]string{
				"ob-00000000000000000001": `{"id":"ob-00000000000000000001","pk":"p-1","kind":"event","parked":true,"fault":{"reason":"r","at":"2026-01-02T03:04:05Z","attempts":3},"seq":1,"incarnation":"i-1","eventId":"e-1","type":"t","envelope":{"id":"e-1"},"traceparent":"tp","createdAt":"2026-01-02T03:04:05Z"}`,
			})
		}
	}
}

// requireDocuments compares documents by id, without the store's own fields.
func requireDocuments(t *testing.T, docs []json.RawMessage, want map[string]string) {
	t.Helper()
	require.Len(t, docs, len(want))
	for _, doc := range docs {
		var fields map[string]any
		require.NoError(t, json.Unmarshal(doc, &fields))
		maps.DeleteFunc(fields, func(name string, _ any) bool { return strings.HasPrefix(name, "_") })
		text, err := json.Marshal(fields)
		require.NoError(t, err)
		id, _ := fields["id"].(string)
		require.JSONEq(t, want[id], string(text))
	}
}

// behind runs a server behind a network that can be cut.
func behind(t *testing.T) (*netsim.Listener, string) {
	server, err := minicosmos.Open(minicosmos.Options{})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	network := netsim.Wrap(l)
	var serving sync.WaitGroup
	serving.Go(func() { require.NoError(t, server.Serve(network)) })
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		serving.Wait()
	})
	return network, server.ConnectionString("http://" + l.Addr().String())
}

func TestRecoversAsSoonAsTheServerIsUp(t *testing.T) {
	t.Parallel()
	network, conn := behind(t)
	network.Cut()
	c := Open(Connection{ConnectionString: conn}, Options{RetryBudget: 200 * time.Millisecond})
	t.Cleanup(c.Close)
	require.Equal(t, outbox.Unavailable, outbox.ClassOf(c.Ready(t.Context())))
	_, err := c.Outbox("relaybox", "outbox", OutboxOptions{}).Load(t.Context(), "p-1")
	require.Equal(t, outbox.Unavailable, outbox.ClassOf(err))

	created := make(chan error)
	go func() { created <- c.EnsureContainers(t.Context(), "relaybox", "outbox") }()
	network.Heal()
	require.NoError(t, <-created)
	require.NoError(t, c.Ready(t.Context()))
	_, err = c.Outbox("relaybox", "outbox", OutboxOptions{}).Load(t.Context(), "p-1")
	require.NoError(t, err)
}

func TestEnsureContainersGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	network, conn := behind(t)
	network.Cut()
	c := Open(Connection{ConnectionString: conn}, Options{})
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, c.EnsureContainers(ctx, "relaybox", "outbox"), `create database "relaybox"`)
}

func TestOperatorsMistakes(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	wrong := Open(Connection{ConnectionString: "AccountEndpoint=" + server.URL + ";AccountKey=d3Jvbmc="}, Options{})
	t.Cleanup(wrong.Close)
	_, err := wrong.Outbox("relaybox", "outbox", OutboxOptions{}).Load(t.Context(), "p-1")
	require.Equal(t, outbox.Unauthorized, outbox.ClassOf(err), "%v", err)

	c := connected(t, server.ConnectionString())
	_, err = c.Outbox("relaybox", "nowhere", OutboxOptions{}).Commit(t.Context(), aCommit)
	require.Equal(t, outbox.Unavailable, outbox.ClassOf(err), "%v", err)
	_, err = c.Outbox("relaybox", "nowhere", OutboxOptions{}).Pending(t.Context(), "p-1", 0, 1)
	require.Equal(t, outbox.Unavailable, outbox.ClassOf(err), "%v", err)
}

// Every commit happens once, although the network breaks at any point: also between a
// commit and its answer.
func TestOneChangePerWriteWhateverTheNetworkDoes(t *testing.T) {
	t.Parallel()
	network, conn := behind(t)
	c := connected(t, conn)
	box := c.Outbox("relaybox", "outbox", OutboxOptions{})
	writer := outbox.NewWriter(box, outbox.WriterOptions{Source: "/test"})
	const keys, writes = 6, 40
	var wg sync.WaitGroup
	for k := range keys {
		wg.Go(func() {
			for n := range writes {
				write(t, writer, fmt.Sprintf("p-%d", k), n)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for cutting := true; cutting; {
		select {
		case <-done:
			cutting = false
		case <-time.After(20 * time.Millisecond):
			network.Cut()
			network.Heal()
		}
	}
	for k := range keys {
		events, err := box.Pending(t.Context(), fmt.Sprintf("p-%d", k), 0, 2*writes)
		require.NoError(t, err)
		require.Len(t, events, writes)
		for i, e := range events {
			require.EqualValues(t, i+1, e.Seq)
			require.Contains(t, string(e.Envelope), fmt.Sprintf(`"data":%d`, i))
		}
	}
}

// write makes one change and repeats it under the same key, as a client does.
func write(t *testing.T, w *outbox.Writer, key string, n int) {
	for {
		_, err := w.Write(t.Context(), outbox.Request{
			Key: key, IdempotencyKey: fmt.Sprint("request-", n),
			Decide: func(outbox.Entity) (outbox.Decision, error) {
				return outbox.Decision{Status: 200, Data: []byte(fmt.Sprint(n)), Events: []outbox.Draft{{Type: "t", Data: n}}}, nil
			},
			Render: func(_ outbox.Entity, status int) outbox.Answer { return outbox.Answer{Status: status} },
		})
		if err == nil {
			return
		}
		if !errors.Is(err, outbox.ErrContended) {
			require.NotEqual(t, outbox.Unclassified, outbox.ClassOf(err), "%v", err)
		}
		require.NoError(t, t.Context().Err())
	}
}

// counting counts the connections that it accepts.
type counting struct {
	net.Listener
	n atomic.Int32
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener := &counting{Listener: l}
	go server.Serve(listener) //nolint:errcheck // ends with the instance
	c := connected(t, server.Server.ConnectionString("http://"+l.Addr().String()))
	box := c.Outbox("relaybox", "outbox", OutboxOptions{})
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 20 {
				_, err := box.Load(t.Context(), "p-1")
				require.NoError(t, err)
			}
		})
	}
	wg.Wait()
	// A call dials when no connection is idle, and takes one that becomes idle meanwhile:
	// 64 may be in use while 64 are dialled. None is closed, so there are never more.
	require.LessOrEqual(t, listener.n.Load(), int32(2*64), "64 calls at a time, 1,280 in all")
}

func TestCertificateOfAnEmulator(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	certified := httptest.NewTLSServer(nil)
	t.Cleanup(certified.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go server.ServeTLS(l, &tls.Config{Certificates: certified.TLS.Certificates}) //nolint:errcheck // ends with the instance
	conn := strings.TrimSuffix(server.Server.ConnectionString("https://"+l.Addr().String()), ";")

	strict := Open(Connection{ConnectionString: conn}, Options{})
	t.Cleanup(strict.Close)
	require.Equal(t, outbox.Unavailable, outbox.ClassOf(strict.Ready(t.Context())))
	lax := Open(Connection{ConnectionString: conn + ";DisableServerCertificateValidation=True"}, Options{})
	t.Cleanup(lax.Close)
	require.NoError(t, lax.Ready(t.Context()))
}

// TestAnIdleLookCostsLittle: it happens once a second on every instance. docs/deploy.md has
// the figure.
func TestAnIdleLookCostsLittle(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	box := connected(t, server.ConnectionString()).Outbox("relaybox", "outbox", OutboxOptions{})
	for i := range 200 { // entities without work cost nothing
		key := fmt.Sprint("k-", i)
		_, err := box.Commit(t.Context(), outbox.Commit{Key: key, Entity: outbox.Entity{Key: key, Version: 1}})
		require.NoError(t, err)
	}
	server.ResetCharges()
	none := func([]outbox.Head) error { return errors.New("nothing is there") }
	require.NoError(t, box.Find(t.Context(), none))
	require.NoError(t, box.Parked(t.Context(), none))
	total := 0.0
	for _, c := range server.Charges() {
		total += c.RequestUnits
	}
	// 2.5 for the range; minicosmos counts a KB that has begun, be it empty.
	require.LessOrEqual(t, total, 2*3.5, "a sweep that finds nothing, which is two looks: %+v", server.Charges())
}
