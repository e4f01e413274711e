package outboxtest

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// transient are the classes of a broker that is away, or does not answer: the gate shuts, and
// nothing counts against a message.
var transient = []outbox.Class{outbox.Unavailable, outbox.Timeout, outbox.Ambiguous}

// taken returns how many of one key's events were taken, and finds that those behind the first
// failure were not attempted.
func taken(t *testing.T, events []outbox.Event, results []error) int {
	t.Helper()
	require.Len(t, results, len(events))
	for i, err := range results {
		if err == nil {
			continue
		}
		require.NotErrorIs(t, err, outbox.ErrNotAttempted, "nothing before it failed")
		for _, behind := range results[i+1:] {
			require.ErrorIs(t, behind, outbox.ErrNotAttempted)
		}
		return i
	}
	return len(results)
}

// deliver publishes one key's events as a dispatcher does: behind a failure it goes on from the
// first one that was not acknowledged. It fails on whatever would count against a message.
func deliver(t *testing.T, b Broker, events []outbox.Event, took func(n int)) {
	t.Helper()
	for len(events) > 0 {
		results := b.Publish(t.Context(), events)
		n := taken(t, events, results)
		if took != nil {
			took(n)
		}
		if n < len(events) {
			require.Contains(t, transient, outbox.ClassOf(results[n]), "%v", results[n])
			time.Sleep(5 * time.Millisecond) // the gate's part
		}
		events = events[n:]
	}
}

// requireOrder finds all of events at the broker, the first copy of each before the first copy of
// the next, and no second copies if the broker drops them.
func requireOrder(t *testing.T, b Broker, key string, events []outbox.Event) {
	t.Helper()
	got := seqs(b.Received(t, key))
	if b.Window == 0 {
		got = firstCopies(got)
	}
	require.Equal(t, seqs(events), got)
}

func firstCopies(all []int64) []int64 {
	var first []int64
	seen := map[int64]bool{}
	for _, seq := range all {
		if !seen[seq] {
			first = append(first, seq)
		}
		seen[seq] = true
	}
	return first
}

// pubOverlap: nobody has a lease on a key.
func pubOverlap(t *testing.T, b Broker, key string) {
	events := evs(key, 30)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for at, page := 0, 5+i; at < len(events); at += page {
				deliver(t, b, events[at:min(at+page, len(events))], nil)
			}
		})
	}
	wg.Wait()
	requireOrder(t, b, key, events)
}

func pubWholeWindow(t *testing.T, b Broker, key string) {
	if b.Window == 0 {
		t.Skip("the broker shows every copy")
	}
	require.GreaterOrEqual(t, b.Window, MinWindow)
	if b.Advance == nil {
		t.Skip("the broker's time can't be moved")
	}
	events := evs(key, 3)
	requireAllSent(t, b.Publish(t.Context(), events), 3)
	b.Advance(b.Window - 10*time.Second)
	requireAllSent(t, b.Publish(t.Context(), events), 3)
	require.Equal(t, seqs(events), seqs(b.Received(t, key)))
}

func pubOutage(t *testing.T, b Broker, key string) {
	requireOutages(t, b, key, func() { requireAllSent(t, b.Publish(t.Context(), evs(key+"-before", 1)), 1) })
}

// pubOutageFirst: the very first call meets it.
func pubOutageFirst(t *testing.T, b Broker, key string) { requireOutages(t, b, key, func() {}) }

// requireOutages: an outage costs no message, and the same publisher goes on behind it, again and again.
func requireOutages(t *testing.T, b Broker, key string, before func()) {
	if b.Down == nil {
		t.Skip("the broker is never away")
	}
	before()
	events := evs(key, 9)
	for at := 0; at < len(events); at += 3 {
		b.Down()
		page := events[at : at+3]
		results := b.Publish(t.Context(), page)
		require.Zero(t, taken(t, page, results))
		require.Contains(t, transient, outbox.ClassOf(results[0]), "%v", results[0])
		b.Up()
		deliver(t, b, page, nil)
		requireOrder(t, b, key, events[:at+3])
	}
}

// pubOutagesInLoad: whatever was on its way when the connection broke, the first copies are in order.
func pubOutagesInLoad(t *testing.T, b Broker, key string) {
	if b.Down == nil {
		t.Skip("the broker is never away")
	}
	const keys, each, page = 8, 60, 10
	var took atomic.Int64
	var wg sync.WaitGroup
	name := func(k int) string { return fmt.Sprintf("%s-%d", key, k) }
	for k := range keys {
		wg.Go(func() {
			events := evs(name(k), each)
			for at := 0; at < each; at += page {
				deliver(t, b, events[at:at+page], func(n int) { took.Add(int64(n)) })
			}
		})
	}
	for cut := range int64(4) {
		require.Eventually(t, func() bool { return took.Load() >= cut*keys*each/5 }, time.Minute, time.Millisecond)
		b.Down()
		b.Up()
	}
	wg.Wait()
	for k := range keys {
		requireOrder(t, b, name(k), evs(name(k), each))
	}
}

// pubStall: a call ends with its context and leaves nothing at work behind it. What the broker
// took in the meantime is sent once more, and does not show twice.
func pubStall(t *testing.T, b Broker, key string) {
	if b.Stall == nil {
		t.Skip("the broker always answers")
	}
	requireAllSent(t, b.Publish(t.Context(), evs(key+"-before", 1)), 1)
	b.Stall()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	name := func(k int) string { return fmt.Sprintf("%s-%d", key, k) }
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			pprof.Do(ctx, pprof.Labels("stalled", key), func(ctx context.Context) {
				events := evs(name(k), 3)
				results := b.Publish(ctx, events)
				require.Zero(t, taken(t, events, results))
				require.Contains(t, transient, outbox.ClassOf(results[0]), "%v", results[0])
			})
		})
	}
	wg.Wait() // while the broker stalls
	require.Eventually(t, func() bool { return !labelled(t, key) }, time.Minute, 5*time.Millisecond, "a goroutine is left")
	b.Resume()
	for k := range 8 {
		deliver(t, b, evs(name(k), 3), nil)
		requireOrder(t, b, name(k), evs(name(k), 3))
	}
}

// labelled says whether a goroutine has the label: those that a call starts inherit it.
func labelled(t *testing.T, value string) bool {
	var all bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&all, 1))
	return bytes.Contains(all.Bytes(), fmt.Appendf(nil, `"stalled":%q`, value))
}

// pubRefusesAll: a destination that refuses everything is an outage. Either the class says so, or
// the refusals are all alike, and the dispatcher finds out. Nothing is parked, and all goes on by itself.
func pubRefusesAll(t *testing.T, b Broker, key string) {
	if b.RefuseAll == nil {
		t.Skip("the broker never refuses everything")
	}
	const keys, each = 5, 3
	name := func(k int) string { return fmt.Sprintf("%s-%d", key, k) }
	s := &MemStore{}
	for k := range keys {
		c := outbox.Commit{Key: name(k), Entity: outbox.Entity{Key: name(k), Version: 1, LastSeq: each}, Events: evs(name(k), each)}
		_, err := s.Commit(t.Context(), c)
		require.NoError(t, err)
	}
	var refused atomic.Int64
	d := outbox.NewDispatcher(s, b.Publisher, outbox.DispatcherOptions{Budget: 3 * time.Second, Observer: func(sig outbox.Signal) {
		switch sig := sig.(type) {
		case outbox.Parked:
			t.Errorf("parked: %+v", sig)
		case outbox.Refused:
			refused.Add(1)
			if outbox.ClassOf(sig.Err).Permanent() && outbox.ConditionOf(sig.Err) == "" {
				t.Errorf("a refusal that can't be compared with others: %v", sig.Err)
			}
		}
	}})
	b.RefuseAll()
	for refused.Load() <= 3 { // more than it takes to park a message
		_, err := d.Sweep(t.Context())
		require.NoError(t, err)
	}
	b.TakeAll()
	for k := range keys {
		for len(s.Events(name(k))) > 0 {
			_, err := d.Sweep(t.Context())
			require.NoError(t, err)
		}
		requireOrder(t, b, name(k), evs(name(k), each))
	}
}
