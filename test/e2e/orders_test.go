package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/internal/history"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/stack"
)

const twoBooks = `{"customer":"ada","lines":[{"sku":"book","quantity":2,"cents":1250}]}`

// events are the names in the history of an order's view.
func (m *model) events() []string {
	var names []string
	for _, step := range m.Data.View.History {
		names = append(names, step.Event)
	}
	return names
}

func TestAnOrdersLife(t *testing.T) {
	t.Parallel()
	s := start(t)
	created := s.must(201, http.MethodPut, "orders/o-1", twoBooks)
	s.must(422, http.MethodPut, "orders/o-1", `{"customer":"ada","lines":[{"sku":"book","quantity":2,"cents":1250}],"status":"shipped"}`)
	s.must(200, http.MethodPatch, "orders/o-1", `{"lines":[{"sku":"book","quantity":3,"cents":1250}]}`, "If-Match", created.etag)
	require.EqualValues(t, 3750, s.consumed("order:o-1", 2).Data.View.Ordered)
	s.must(422, http.MethodPost, "orders/o-1/ship", `{"carrier":""}`)
	s.must(200, http.MethodPost, "orders/o-1/ship", `{"carrier":"snail","parcel":"42"}`, "Idempotency-Key", "ship-1")
	s.must(200, http.MethodPost, "orders/o-1/ship", `{"carrier":"snail","parcel":"42"}`, "Idempotency-Key", "ship-1")
	s.must(409, http.MethodPost, "orders/o-1/ship", `{"carrier":"snail"}`)
	s.must(409, http.MethodPost, "orders/o-1/cancel", `{"reason":"late"}`)
	s.must(409, http.MethodPut, "orders/o-1", twoBooks)
	s.must(409, http.MethodDelete, "orders/o-1", "")
	s.must(404, http.MethodPost, "orders/o-1/burn", "{}")
	s.must(404, http.MethodPost, "orders/o-2/ship", `{"carrier":"snail"}`)

	s.must(201, http.MethodPut, "orders/o-2", twoBooks)
	s.must(200, http.MethodPost, "orders/o-2/cancel", `{"reason":"too late"}`)
	s.must(204, http.MethodDelete, "orders/o-2", "")

	shipped, cancelled := s.consumed("order:o-1", 3), s.consumed("order:o-2", 3)
	require.Equal(t, []string{"created", "updated", "shipped"}, shipped.events())
	require.EqualValues(t, 3750, shipped.Data.View.Due)
	require.Equal(t, "shipped", shipped.Data.State.Status)
	require.Equal(t, []string{"created", "cancelled", "deleted"}, cancelled.events())
	require.Nil(t, cancelled.Data.State)
	require.Zero(t, cancelled.Data.View.Due)
	s.nothingDeadLettered()
}

// TestTwoKindsOfTheSameIDs writes profiles and orders under the same ids while the handler
// is killed, twice: every kind has its own documents, its own numbers, its own events.
func TestTwoKindsOfTheSameIDs(t *testing.T) {
	t.Parallel()
	s := start(t)
	const ids, rounds = 8, 6
	var acknowledged atomic.Int64
	var clients sync.WaitGroup
	for i := range ids {
		clients.Go(func() {
			id := fmt.Sprintf("same-%d", i)
			for n := range rounds {
				s.until(200, http.MethodPut, "profiles/"+id, fmt.Sprintf(`{"displayName":"%d"}`, n))
				if n := acknowledged.Add(1); n == ids*rounds/3 || n == ids*rounds*2/3 {
					s.killHandler()
				}
				s.until(200, http.MethodPut, "orders/"+id, fmt.Sprintf(`{"customer":"c-%d","lines":[{"sku":"s","quantity":%d,"cents":100}]}`, i%2, n+1))
			}
			action, body := "ship", `{"carrier":"snail"}`
			if i%4 == 0 {
				action, body = "cancel", `{"reason":"why not"}`
			}
			s.until(200, http.MethodPost, "orders/"+id+"/"+action, body, "Idempotency-Key", action)
		})
	}
	clients.Wait()

	due := map[string]int64{}
	for i := range ids {
		id := fmt.Sprintf("same-%d", i)
		profile := s.until(200, http.MethodGet, "profiles/"+id, "")
		require.Contains(t, profile.body, fmt.Sprintf(`"displayName":"%d"`, rounds-1))
		require.NotContains(t, profile.body, "customer")
		order := s.until(200, http.MethodGet, "orders/"+id, "")
		require.NotContains(t, order.body, "displayName")

		s.consumed("profile:"+id, int64(versionOf(profile.etag)))
		m := s.consumed("order:"+id, int64(versionOf(order.etag)))
		require.Len(t, m.Data.View.History, versionOf(order.etag), "an event per version, each applied once")
		require.Equal(t, "created", m.events()[0])
		due[m.Data.State.Customer] += m.Data.View.Due
	}
	require.Equal(t, map[string]int64{"c-0": 2 * rounds * 100, "c-1": 4 * rounds * 100}, due, "0 and 4 are cancelled")
	s.eventually(func() bool { return s.pending() == 0 }, "the outbox is empty")
	s.nothingDeadLettered()
}

// killHandler waits for a handler and ends it as a power cut would.
func (s *system) killHandler() {
	for ; s.t.Context().Err() == nil; time.Sleep(10 * time.Millisecond) {
		if pid := s.HandlerPID(); pid != 0 {
			if process, err := os.FindProcess(pid); err != nil || process.Kill() != nil {
				s.t.Errorf("process %d cannot be killed", pid)
			}
			return
		}
	}
}

// until repeats a request until it has status or 201, as a client does while a handler dies.
func (s *system) until(status int, method, path, body string, headers ...string) answer {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got, err := s.call(method, path, body, headers...); err == nil && (got.status == status || got.status == 201) {
			return got
		}
	}
	s.t.Errorf("%s %s: not acknowledged in time", method, path)
	return answer{}
}

// nothingDeadLettered asks the broker.
func (s *system) nothingDeadLettered() {
	s.t.Helper()
	require.Empty(s.t, s.deadLetters())
}

func (s *system) deadLetters() []minibus.Message {
	s.t.Helper()
	return s.Bus.Peek(s.Settings["EVENTS_TOPIC"] + "/Subscriptions/" + s.Settings["EVENTS_SUBSCRIPTION"] + "/$DeadLetterQueue")
}

// TestARestoredOutboxIsFollowed: the outbox's container is lost between two runs, and the
// read model is not.
func TestARestoredOutboxIsFollowed(t *testing.T) {
	t.Parallel()
	s := start(t)
	var last answer
	for n := range 3 {
		last = s.must([]int{201, 200, 200}[n], http.MethodPut, "phoenix", fmt.Sprintf(`{"displayName":"before %d"}`, n))
	}
	s.consumed("phoenix", 3)
	s.judge()
	s.record = &history.Recorder{} // another life
	recreate(t, s.Stack, s.Settings["COSMOS_OUTBOX_CONTAINER"])

	again := s.must(201, http.MethodPut, "phoenix", `{"displayName":"after"}`)
	require.Equal(t, 1, versionOf(again.etag))
	require.NotEqual(t, last.etag, again.etag)
	s.eventually(func() bool {
		m := s.model("phoenix")
		return m.LastSeq == 1 && m.Data.State.DisplayName == "after"
	}, "the read model follows the new container")
	s.must(200, http.MethodPut, "phoenix", `{"displayName":"and on"}`)
	require.Equal(t, "and on", s.consumed("phoenix", 2).Data.State.DisplayName)
	s.nothingDeadLettered()
}

// TestEventsOfNobodyAreDeadLettered: refused before a read model is touched, with the
// reason in the app's log under the message's id.
func TestEventsOfNobodyAreDeadLettered(t *testing.T) {
	t.Parallel()
	var log lines
	names := stack.Defaults()
	topology := stack.Topology(names["EVENTS_TOPIC"], names["EVENTS_SUBSCRIPTION"])
	topology.Topics[0].Subscriptions[0].MaxDeliveryCount = 8 // each waits for a moment, and the last for most of a second
	s := start(t, func(c *stack.Config) { c.HandlerOutput, c.Topology = &log, topology })
	s.put("healthy", "Healthy")
	s.consumed("healthy", 1)
	envelope := func(kind string) []byte {
		text, err := json.Marshal(map[string]any{
			"specversion": "1.0", "id": "e-" + kind, "source": "/relaybox/" + kind, "type": "relaybox." + kind + ".created", "subject": "x",
			"partitionkey": kind + ":x", "sequence": "00000000000000000001", "datacontenttype": "application/json",
			"incarnation": "0123456789abcdef", "incarnationfirst": "00000000000000000001", "incarnationsince": "2026-01-01T00:00:00Z", "incarnationdrawn": "2026-01-01T00:00:00Z",
			"data": map[string]any{"id": "x", "state": map[string]any{"displayName": "X"}},
		})
		require.NoError(t, err)
		return text
	}
	s.send("cat:x", "e-cat", envelope("cat"))
	s.eventually(func() bool { return len(s.deadLetters()) == 1 }, "the event of a kind that nobody registered is dead-lettered")
	require.Nil(t, s.model("cat:x"))
	s.eventually(func() bool { return log.holds(`"signal":"refused"`, `"reason":"unknown-kind"`, `"message":"e-cat"`) }, "the log says why")
	s.put("healthy", "Still healthy")
	s.consumed("healthy", 2)
}

// TestContainersOfItsOwn: orders live apart from the rest, in one app.
func TestContainersOfItsOwn(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *stack.Config) { c.Settings["COSMOS_KIND_CONTAINERS"] = "order=orders/order-views" })
	s.must(201, http.MethodPut, "orders/apart", twoBooks)
	s.must(201, http.MethodPut, "profiles/apart", `{"displayName":"Apart"}`)
	s.consumed("profile:apart", 1)
	database := s.Settings["COSMOS_DATABASE"]
	s.eventually(func() bool { return len(s.Cosmos.Documents(database, "order-views")) == 1 }, "the model of the order")
	require.Nil(t, s.model("order:apart"), "not in the shared container")
	s.eventually(func() bool { return len(s.Cosmos.Documents(database, "orders")) == 1 }, "its event was sent and settled")
}

// TestTheLongestID: its key is longer than a session may be.
func TestTheLongestID(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := strings.Repeat("i", 128)
	s.must(201, http.MethodPut, "profiles/"+id, `{"displayName":"Long"}`)
	s.must(200, http.MethodPut, "profiles/"+id, `{"displayName":"Longer"}`)
	require.Equal(t, "Longer", s.consumed("profile:"+id, 2).Data.State.DisplayName)
}
