package outboxtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// MinWindow is how long a broker's memory for ids must be at least: a second copy that a
// dispatcher sends behind a failure, a pause or a cut must fall into it. What comes later
// package inbox drops.
const MinWindow = time.Minute

// Broker is a publisher under test, with a way to see what arrived and with switches for what
// goes wrong. A nil switch says that this broker has no such fault, and skips what needs it.
type Broker struct {
	outbox.Publisher
	// Received returns what the broker holds for key, in order, after its duplicate
	// detection if it has one.
	Received func(t *testing.T, key string) []outbox.Event
	// Window is how long a second copy does not show; 0: the broker shows every copy.
	Window time.Duration
	// Advance lets time pass at the broker.
	Advance func(d time.Duration)
	// TooLarge is an envelope size that is certainly too large, 0 if there is no limit.
	TooLarge int
	// Down cuts the way to the broker, and nobody gets through until Up.
	Down, Up func()
	// Stall has the broker take what it is sent, and acknowledge nothing until Resume.
	Stall, Resume func()
	// RefuseAll has the broker refuse every message, whatever it is, until TakeAll.
	RefuseAll, TakeAll func()
}

// TestPublisher is the conformance suite of outbox.Publisher: what the dispatcher relies on. Each
// test opens a broker of its own, so that a fault meets no other.
func TestPublisher(t *testing.T, open func(t *testing.T) Broker) {
	for name, test := range map[string]func(*testing.T, Broker, string){
		"Nothing":        pubNothing,
		"Fields":         pubFields,
		"InOrder":        pubInOrder,
		"ManyKeys":       pubManyKeys,
		"Concurrent":     pubConcurrent,
		"Twice":          pubTwice,
		"PoisonFirst":    func(t *testing.T, b Broker, key string) { pubPoison(t, b, key, 0) },
		"PoisonInMiddle": func(t *testing.T, b Broker, key string) { pubPoison(t, b, key, 3) },
		"PoisonLast":     func(t *testing.T, b Broker, key string) { pubPoison(t, b, key, 5) },
		"LargeOnes":      pubLargeOnes,
		"EndedContext":   pubEndedContext,
		"Overlap":        pubOverlap,
		"WholeWindow":    pubWholeWindow,
		"Outage":         pubOutage,
		"OutageFirst":    pubOutageFirst,
		"OutagesInLoad":  pubOutagesInLoad,
		"Stall":          pubStall,
		"RefusesAll":     pubRefusesAll,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t), strings.ReplaceAll(t.Name(), "/", "_"))
		})
	}
}

func evs(key string, n int) []outbox.Event {
	var events []outbox.Event
	for i := range n {
		events = append(events, ev(key, int64(i+1)))
	}
	return events
}

func requireAllSent(t *testing.T, results []error, n int) {
	t.Helper()
	require.Len(t, results, n)
	for i, err := range results {
		require.NoError(t, err, "event %d", i)
	}
}

func pubNothing(t *testing.T, b Broker, _ string) {
	require.Empty(t, b.Publish(t.Context(), nil))
}

func pubFields(t *testing.T, b Broker, key string) {
	want := ev(key, 1)
	want.ReplayFor = "late"
	require.NoError(t, want.Fill(*want.Content))
	requireAllSent(t, b.Publish(t.Context(), []outbox.Event{want}), 1)
	got := b.Received(t, key)
	require.Len(t, got, 1)
	require.Equal(t, want.ID, got[0].ID)
	require.Equal(t, want.Key, got[0].Key)
	require.Equal(t, want.Seq, got[0].Seq)
	require.Equal(t, want.Type, got[0].Type)
	require.Equal(t, want.Trace, got[0].Trace)
	require.Equal(t, want.ReplayFor, got[0].ReplayFor)
	require.Equal(t, string(want.Envelope), string(got[0].Envelope), "the envelope arrives byte for byte")
}

func pubInOrder(t *testing.T, b Broker, key string) {
	events := evs(key, 120)
	requireAllSent(t, b.Publish(t.Context(), events), len(events))
	require.Equal(t, seqs(events), seqs(b.Received(t, key)))
}

func pubManyKeys(t *testing.T, b Broker, key string) {
	var events []outbox.Event
	for seq := range 3 {
		for k := range 10 {
			events = append(events, ev(fmt.Sprintf("%s-%d", key, k), int64(seq+1)))
		}
	}
	requireAllSent(t, b.Publish(t.Context(), events), len(events))
	for k := range 10 {
		require.Equal(t, []int64{1, 2, 3}, seqs(b.Received(t, fmt.Sprintf("%s-%d", key, k))))
	}
}

func pubConcurrent(t *testing.T, b Broker, key string) {
	var wg sync.WaitGroup
	results := make([][]error, 16)
	for i := range results {
		wg.Go(func() { results[i] = b.Publish(t.Context(), evs(fmt.Sprintf("%s-%d", key, i), 10)) })
	}
	wg.Wait()
	for i := range results {
		requireAllSent(t, results[i], 10)
		require.Equal(t, seqs(evs("", 10)), seqs(b.Received(t, fmt.Sprintf("%s-%d", key, i))))
	}
}

func pubTwice(t *testing.T, b Broker, key string) {
	events := evs(key, 3)
	requireAllSent(t, b.Publish(t.Context(), events), 3)
	requireAllSent(t, b.Publish(t.Context(), events), 3)
	want := []int64{1, 2, 3}
	if b.Window == 0 {
		want = append(want, want...)
	}
	require.Equal(t, want, seqs(b.Received(t, key)))
}

func pubPoison(t *testing.T, b Broker, key string, at int) {
	if b.TooLarge == 0 {
		t.Skip("there is nothing that this broker could refuse")
	}
	events := evs(key, 6)
	events[at] = ev(key, int64(at+1), b.TooLarge)
	healthy := evs(key+"-healthy", 3)
	results := b.Publish(t.Context(), append(append([]outbox.Event{}, events...), healthy...))
	require.Len(t, results, 9)
	for i := range at {
		require.NoError(t, results[i])
	}
	require.Equal(t, outbox.TooLarge, outbox.ClassOf(results[at]), "%v", results[at])
	require.NotEmpty(t, outbox.ConditionOf(results[at]), "what one refusal is compared with another by")
	for i := at + 1; i < 6; i++ {
		require.ErrorIs(t, results[i], outbox.ErrNotAttempted)
	}
	requireAllSent(t, results[6:], 3)
	require.Equal(t, seqs(events[:at]), seqs(b.Received(t, key)))
	require.Equal(t, []int64{1, 2, 3}, seqs(b.Received(t, key+"-healthy")))
}

func pubLargeOnes(t *testing.T, b Broker, key string) {
	var events []outbox.Event
	for i := range 5 {
		events = append(events, ev(key, int64(i+1), 150<<10))
	}
	requireAllSent(t, b.Publish(t.Context(), events), 5)
	require.Equal(t, seqs(events), seqs(b.Received(t, key)))
}

func pubEndedContext(t *testing.T, b Broker, key string) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	events := evs(key, 2)
	results := b.Publish(ctx, events)
	require.Zero(t, taken(t, events, results))
	require.Contains(t, transient, outbox.ClassOf(results[0]), "%v", results[0])
}
