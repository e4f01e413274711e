package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

// closed stands between the network and a store and refuses one container while shut.
type closed struct {
	container string
	shut      atomic.Bool
}

func (c *closed) front(store http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.shut.Load() && strings.Contains(r.URL.Path, "/colls/"+c.container) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"code":"Forbidden","message":"the role was taken away"}`))
			return
		}
		store.ServeHTTP(w, r)
	})
}

// TestAnOutageOfTheViewsDeadLettersNothing: more holds than the ten deliveries of a broker's
// default, of a tenth of a second instead of 25 minutes; the handler dies in the middle, and
// every event has its effect afterwards. local/minihost has a day of it in fake time.
func TestAnOutageOfTheViewsDeadLettersNothing(t *testing.T) {
	t.Parallel()
	views := closed{container: "views"}
	s := start(t, func(c *stack.Config) {
		c.CosmosFront = views.front
		c.Settings["RELAYBOX_INBOX_HOLD"] = "100ms"
	})
	s.put("p-1", "Before")
	s.consumed("p-1", 1)
	views.shut.Store(true)
	for n := range 3 {
		s.must([]int{201, 200, 201}[n], http.MethodPut, fmt.Sprintf("p-%d", n), `{"displayName":"During"}`)
	}
	delivered := func(atLeast int) func() bool {
		return func() bool {
			waiting := s.Bus.Peek(s.Settings["EVENTS_TOPIC"] + "/Subscriptions/" + s.Settings["EVENTS_SUBSCRIPTION"])
			for _, m := range waiting {
				if m.DeliveryCount < atLeast {
					return false
				}
			}
			return len(waiting) == 3
		}
	}
	s.eventually(delivered(5), "each event has come a few times")
	before := s.HandlerPID()
	kill(t, before)
	s.eventually(delivered(15), "and many times more")
	require.NotEqual(t, before, s.HandlerPID())
	s.nothingDeadLettered()

	views.shut.Store(false)
	for n := range 3 {
		require.Equal(t, "During", s.consumed(fmt.Sprintf("p-%d", n), []int64{1, 2, 1}[n]).Data.State.DisplayName)
	}
	s.nothingDeadLettered()
}
