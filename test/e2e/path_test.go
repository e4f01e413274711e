package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

func TestWriteIsConsumed(t *testing.T) {
	t.Parallel()
	s := start(t)
	created := s.must(201, http.MethodPut, "ada", `{"displayName":"Ada","email":"ada@example.com"}`)
	require.Equal(t, 1, versionOf(created.etag))
	s.must(304, http.MethodGet, "ada", "", "If-None-Match", created.etag)
	s.must(200, http.MethodPatch, "ada", `{"email":"ada@example.org"}`)
	s.must(412, http.MethodPut, "ada", `{"displayName":"late"}`, "If-Match", created.etag)
	s.must(400, http.MethodPut, "ada", `{"displayName":`)
	m := s.consumed("ada", 3)
	require.Equal(t, "Ada", m.Data.State.DisplayName)
	s.must(204, http.MethodDelete, "ada", "")
	s.must(404, http.MethodGet, "ada", "")
	m = s.consumed("ada", 4)
	require.Nil(t, m.Data.State)
	require.Equal(t, map[string]int64{
		"created": 1, "updated": 1, "email-changed": 1, "deleted": 1,
	}, m.Data.View.Applied)
	s.eventually(func() bool { return s.pending() == 0 }, "the outbox is empty")
}

func TestTwinsMakeOneChange(t *testing.T) {
	t.Parallel()
	s := start(t)
	const twins = 50
	answers := make([]answer, twins)
	var all sync.WaitGroup
	for i := range twins {
		all.Go(func() {
			for {
				got, err := s.call(http.MethodPut, "twin", `{"displayName":"One"}`, "Idempotency-Key", `"k-1"`)
				if err != nil || got.status != http.StatusConflict {
					answers[i] = got
					return
				}
			}
		})
	}
	all.Wait()
	for _, got := range answers {
		require.Equal(t, answers[0], got)
	}
	require.Equal(t, 201, answers[0].status)
	s.must(422, http.MethodPut, "twin", `{"displayName":"Other"}`, "Idempotency-Key", `"k-1"`)
	m := s.consumed("twin", 1)
	require.Equal(t, map[string]int64{"created": 1}, m.Data.View.Applied)
}

func TestKilledHandlerLosesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.put("first", "First")
	before := s.HandlerPID()
	kill(t, before)
	for i := range 20 {
		s.put(fmt.Sprintf("later-%d", i), "Later")
	}
	require.NotEqual(t, before, s.HandlerPID())
	s.consumed("first", 1)
	for i := range 20 {
		s.consumed(fmt.Sprintf("later-%d", i), 1)
	}
}

func TestThirdCrashIsThePlatformsTurn(t *testing.T) {
	t.Parallel()
	notices := make(chan string, 16)
	names := stack.Defaults()
	topology := stack.Topology(names["EVENTS_TOPIC"], names["EVENTS_SUBSCRIPTION"])
	topology.Topics[0].Subscriptions[0].LockDuration = 5 * time.Second // the host may take a message's lock with it
	s := start(t, func(c *stack.Config) {
		c.Topology, c.Notice = topology, func(text string) { notices <- text }
	})
	s.put("crash", "Zero")
	for range 3 {
		var pid int
		s.eventually(func() bool { pid = s.HandlerPID(); return pid != 0 }, "a handler runs")
		kill(t, pid)
		s.eventually(func() bool { return s.HandlerPID() != pid }, "the handler is gone")
	}
	require.Contains(t, <-notices, "playing the platform")
	require.Contains(t, <-notices, "runs again")
	s.put("crash", "One")
	s.consumed("crash", 2)
}

func TestWritesGoOnWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.put("before", "Before")
	s.consumed("before", 1)
	s.BusNet.Cut()
	for i := range 20 {
		s.must(201, http.MethodPut, fmt.Sprintf("away-%d", i), `{"displayName":"Away"}`)
	}
	require.Equal(t, 20, s.pending())
	s.BusNet.Heal()
	for i := range 20 {
		s.consumed(fmt.Sprintf("away-%d", i), 1)
	}
	s.eventually(func() bool { return s.pending() == 0 }, "the outbox is empty")
}

func TestRestartOnTheSameData(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	keep := func(c *stack.Config) { c.Data = data }
	s := start(t, keep)
	s.put("old", "Old")
	s.consumed("old", 1)
	s.BusNet.Cut() // so that the next event is pending when everything stops
	s.put("old", "New")
	require.Equal(t, 1, s.pending())
	require.NoError(t, s.Close())

	s.run(t, keep)
	require.Equal(t, "New", s.consumed("old", 2).Data.State.DisplayName)
	require.Equal(t, 2, versionOf(s.must(200, http.MethodGet, "old", "").etag))
}

func kill(t *testing.T, pid int) {
	t.Helper()
	process, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
}

func TestTheAppDescribesItself(t *testing.T) {
	t.Parallel()
	s := start(t)
	got := s.must(200, http.MethodGet, "openapi.json/", "")
	for _, part := range []string{`"openapi":"3.1`, `"/orders/{id}/ship"`, `"/profiles/{id}"`, `OrderShippedEvent`} {
		require.Contains(t, got.body, part)
	}
	s.must(304, http.MethodGet, "openapi.json/", "", "If-None-Match", got.etag)
}
