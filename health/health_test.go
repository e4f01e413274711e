package health

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// well are the sources of an app in which all is well.
func well() Sources {
	reached := func(context.Context) error { return nil }
	queue := func(context.Context) (Queue, error) { return Queue{}, nil }
	return Sources{
		Store: reached, Broker: reached,
		Outbox:       func(context.Context) (outbox.Tally, error) { return outbox.Tally{}, nil },
		Pauses:       func(context.Context) ([]outbox.Halt, error) { return nil, nil },
		Early:        func(context.Context) (int, bool, error) { return 0, false, nil },
		Subscription: Subscription{Active: queue, DeadLetters: queue},
	}
}

func tally(t outbox.Tally) func(*Sources) {
	return func(s *Sources) { s.Outbox = func(context.Context) (outbox.Tally, error) { return t, nil } }
}

var errSecret = &outbox.Error{Class: outbox.Unavailable, Op: "look", Err: errors.New("AccountKey=c2VjcmV0")}

// TestEachState: what is seen of it, and what it makes of the whole.
func TestEachState(t *testing.T) {
	t.Parallel()
	limits := Limits{Oldest: 5 * time.Minute, Parked: 1, DeadLetters: 2}
	dead := func(n int, more bool) func(*Sources) {
		return func(s *Sources) {
			s.DeadLetters = func(context.Context) (Queue, error) { return Queue{Count: n, More: more}, nil }
		}
	}
	for name, c := range map[string]struct {
		change func(*Sources)
		check  string // which is not a pass, "" for none
		status Status
		output string
	}{
		"all is well":          {func(*Sources) {}, "", Pass, ""},
		"something waits":      {tally(outbox.Tally{Pending: 900, Oldest: 5 * time.Minute}), "", Pass, ""},
		"too old":              {tally(outbox.Tally{Pending: 1, Oldest: 5*time.Minute + 1}), "outbox:oldestPending", Fail, "older than 5m0s"},
		"more than is counted": {tally(outbox.Tally{Pending: 1000, MorePending: true}), "outbox:oldestPending", Warn, "there may be older ones"},
		"as many as may be":    {tally(outbox.Tally{Parked: 1, Keys: 1}), "", Pass, ""},
		"parked":               {tally(outbox.Tally{Parked: 2, Keys: 1}), "outbox:parked", Fail, "relaybox events list"},
		"more may be parked":   {tally(outbox.Tally{Passed: 1000, MoreParked: true}), "outbox:parked", Warn, "more than were counted"},
		"passed":               {tally(outbox.Tally{Passed: 7}), "", Pass, ""},
		"no outbox": {func(s *Sources) {
			s.Outbox = func(context.Context) (outbox.Tally, error) { return outbox.Tally{}, errSecret }
		}, "outbox:parked", Fail, "cannot be looked at (unavailable)"},
		"paused": {func(s *Sources) {
			s.Pauses = func(context.Context) ([]outbox.Halt, error) { return []outbox.Halt{{Scope: outbox.ScopeAll}}, nil }
		}, "outbox:pauses", Warn, "paused"},
		"no pauses":     {func(s *Sources) { s.Pauses = func(context.Context) ([]outbox.Halt, error) { return nil, errSecret } }, "outbox:pauses", Fail, "cannot be looked at"},
		"early":         {func(s *Sources) { s.Early = func(context.Context) (int, bool, error) { return 9, true, nil } }, "", Pass, ""},
		"no consumer":   {func(s *Sources) { s.Early = func(context.Context) (int, bool, error) { return 0, false, errSecret } }, "consumer:earlyKeys", Fail, "cannot be looked at"},
		"few dead":      {dead(2, false), "", Pass, ""},
		"dead":          {dead(3, false), "subscription:deadLetters", Fail, "relaybox deadletters list"},
		"at least":      {dead(100, true), "subscription:deadLetters", Fail, "more than were counted"},
		"no queue":      {func(s *Sources) { s.DeadLetters = func(context.Context) (Queue, error) { return Queue{}, errSecret } }, "subscription:deadLetters", Fail, "cannot be looked at"},
		"none is named": {func(s *Sources) { s.DeadLetters = nil }, "subscription:deadLetters", Warn, "EVENTS_SUBSCRIPTION"},
		"consumer idles": {func(s *Sources) {
			s.Active = func(context.Context) (Queue, error) { return Queue{Count: 1, Oldest: time.Now().Add(-time.Hour)}, nil }
		}, "subscription:oldestActive", Fail, "older than 5m0s"},
		"with sessions": {func(s *Sources) { s.Active = func(context.Context) (Queue, error) { return Queue{}, errSecret } }, "subscription:active", Warn, "cannot be looked at"},
		"no store":      {func(s *Sources) { s.Store = func(context.Context) error { return errSecret } }, "store:responseTime", Fail, "cannot be looked at"},
		"no broker":     {func(s *Sources) { s.Broker = func(context.Context) error { return errors.New("AccountKey=c2VjcmV0") } }, "broker:responseTime", Fail, "cannot be looked at"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, log := well(), bytes.Buffer{}
			c.change(&from)
			h := New(from, Options{Limits: limits, Version: "1", Logger: slog.New(slog.NewTextHandler(&log, nil))})
			r := h.State(t.Context())
			require.Equal(t, c.status, r.Status, r.Checks)
			require.Equal(t, "1", r.Version)
			for name, checks := range r.Checks {
				require.False(t, checks[0].Time.IsZero())
				if name == c.check {
					require.Equal(t, c.status, checks[0].Status, name)
					require.Contains(t, checks[0].Output, c.output)
				} else if name != "outbox:pending" && name != "outbox:oldestPending" && name != "outbox:blockedKeys" && c.check != "" { // which share a look
					require.Equal(t, Pass, checks[0].Status, name)
				}
			}
			require.Subset(t, slices.Collect(maps.Keys(r.Checks)), []string{
				"store:responseTime", "broker:responseTime", "outbox:pending", "outbox:oldestPending", "outbox:parked", "outbox:blockedKeys",
				"outbox:pauses", "consumer:earlyKeys", "subscription:active", "subscription:deadLetters",
			})
			text, err := json.Marshal(r)
			require.NoError(t, err)
			require.NotContains(t, string(text), "c2VjcmV0")
			if c.output == "cannot be looked at" {
				require.Contains(t, log.String(), "signal=health", "and the log says why")
			}
			ready := h.Ready(t.Context())
			require.Len(t, ready.Checks, 2)
			require.Equal(t, name == "no store" || name == "no broker", ready.Status == Fail)
			require.Equal(t, Report{Status: Pass, Version: "1"}, h.Live(), "which looks at nothing")
		})
	}
}

// TestEachSubscriptionIsLookedAt under the name of its consumer, and one that is red is seen.
func TestEachSubscriptionIsLookedAt(t *testing.T) {
	t.Parallel()
	from := well()
	queue := func(n int, old time.Duration) func(context.Context) (Queue, error) {
		return func(context.Context) (Queue, error) { return Queue{Count: n, Oldest: time.Now().Add(-old)}, nil }
	}
	from.Consumers = map[string]Subscription{
		"quick": {Active: queue(3, 0), DeadLetters: queue(0, 0)},
		"stuck": {Active: queue(1, time.Hour), DeadLetters: queue(2, 0)},
	}
	r := New(from, Options{Limits: Limits{Oldest: time.Minute}}).State(t.Context())
	require.Equal(t, Fail, r.Status)
	status := map[string]Status{}
	for name, checks := range r.Checks {
		if consumer, _, _ := strings.Cut(name, ":"); consumer == "quick" || consumer == "stuck" || consumer == "subscription" {
			status[name] = checks[0].Status
		}
	}
	require.Equal(t, map[string]Status{
		"subscription:active": Pass, "subscription:oldestActive": Pass, "subscription:deadLetters": Pass,
		"quick:active": Pass, "quick:oldestActive": Pass, "quick:deadLetters": Pass,
		"stuck:active": Pass, "stuck:oldestActive": Fail, "stuck:deadLetters": Fail,
	}, status)
}

// TestManyAskAndOneLooks, and its answer stands for a moment; then the state is looked at anew.
func TestManyAskAndOneLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var looks, parked atomic.Int32
		from := well()
		from.Outbox = func(context.Context) (outbox.Tally, error) {
			looks.Add(1)
			time.Sleep(time.Second)
			return outbox.Tally{Parked: int(parked.Load())}, nil
		}
		h := New(from, Options{Limits: Limits{Oldest: time.Hour}})
		ask := func(want Status) {
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if got := h.State(t.Context()).Status; got != want {
						t.Errorf("%s, not %s", got, want)
					}
				})
			}
			all.Wait()
		}
		ask(Pass)
		parked.Store(1)
		ask(Pass)
		require.EqualValues(t, 1, looks.Load())
		time.Sleep(5 * time.Second)
		ask(Fail)
		require.EqualValues(t, 2, looks.Load())
		time.Sleep(time.Minute)
		require.EqualValues(t, 2, looks.Load(), "nobody asks")
		parked.Store(0)
		ask(Pass)
	})
}

// TestWhatHangs is told in time, and nobody waits longer than he may.
func TestWhatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := well()
		from.Broker = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		h := New(from, Options{})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		hasty := h.Ready(ctx)
		require.Equal(t, Fail, hasty.Status)
		require.Contains(t, hasty.Checks, "app:look")
		require.Equal(t, time.Second, time.Since(began))
		r := h.Ready(t.Context())
		require.Equal(t, 5*time.Second, time.Since(began), "the look that was under way")
		require.Equal(t, Fail, r.Checks["broker:responseTime"][0].Status)
		require.Equal(t, Pass, r.Checks["store:responseTime"][0].Status)
	})
}

type views [][]string

func (v views) Waiting(_ context.Context, _ time.Time, visit func([]string) error) error {
	for _, page := range v {
		if err := visit(page); err != nil {
			return err
		}
	}
	return nil
}

func TestEarlyKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		most, n int
		more    bool
	}{{0, 3, false}, {3, 3, false}, {2, 2, true}} {
		n, more, err := EarlyKeys(t.Context(), views{{"a", "b"}, {"b", "c"}}, c.most)
		require.NoError(t, err)
		require.Equal(t, c.n, n)
		require.Equal(t, c.more, more)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := EarlyKeys(gone, views{{"a"}}, 0)
	require.ErrorIs(t, err, context.Canceled)
}
