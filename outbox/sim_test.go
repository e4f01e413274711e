package outbox_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "run the simulation with this seed only")
	simSeeds = flag.Int("sim.seeds", 200, "how many seeds to simulate")
)

// TestSimulation runs writers, sweeps and fast paths of several instances in fake
// time, over a store and a broker that delay, fail before and after they act, and
// instances that die at any of these points. After the faults end, one sweep must
// leave every event of every committed change at the broker, in order.
func TestSimulation(t *testing.T) {
	t.Parallel()
	first, last := uint64(1), uint64(*simSeeds)
	if *simSeed != 0 {
		first, last = *simSeed, *simSeed
	}
	for seed := first; seed <= last; seed++ {
		ok := t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(seed).play(t) })
		})
		if !ok {
			t.Fatalf("repeat with: go test ./outbox -run TestSimulation -sim.seed=%d", seed)
		}
	}
}

// world is one simulated run. mu guards rng.
type world struct {
	mu     sync.Mutex
	rng    *rand.Rand
	faults bool
	mem    *outboxtest.MemStore
	pub    *outboxtest.MemPublisher
	acked  map[string]int64 // key → newest acknowledged version, guarded by mu
}

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), faults: true, mem: &outboxtest.MemStore{}, acked: map[string]int64{}}
	w.pub = &outboxtest.MemPublisher{Fault: func(ctx context.Context, _ outbox.Event) error { return w.disturb(ctx, outbox.Unavailable) }}
	return w
}

// disturb delays an operation, and fails one in eight of them.
func (w *world) disturb(ctx context.Context, class outbox.Class) error {
	w.mu.Lock()
	delay, fail := time.Duration(w.rng.IntN(40))*time.Millisecond, w.faults && w.rng.IntN(8) == 0
	w.mu.Unlock()
	waiting, cancel := context.WithTimeout(ctx, delay)
	defer cancel()
	<-waiting.Done()
	if err := ctx.Err(); err != nil {
		return &outbox.Error{Class: class, Err: err}
	}
	if fail {
		return &outbox.Error{Class: class, Err: errors.New("simulated")}
	}
	return nil
}

func (w *world) store() *outboxtest.FaultyStore {
	return &outboxtest.FaultyStore{
		Storage: w.mem,
		Before:  func(ctx context.Context, _, _ string) error { return w.disturb(ctx, outbox.Unavailable) },
		After: func(ctx context.Context, op, _ string) error {
			if op == "commit" {
				return w.disturb(ctx, outbox.Ambiguous)
			}
			return w.disturb(ctx, outbox.Timeout)
		},
	}
}

// instance is one process: it writes, drains behind its writes and sweeps, until ctx
// kills it in the middle of whatever it does.
func (w *world) instance(ctx context.Context, id int) {
	s := w.store()
	d := outbox.NewDispatcher(s, w.pub, outbox.DispatcherOptions{Page: 3, Parallel: 3, Budget: 2 * time.Second})
	f := outbox.NewFastPath(d, outbox.FastPathOptions{Workers: 2, Queue: 4, Budget: time.Second})
	writer := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(ctx) })
	wg.Go(func() {
		for ctx.Err() == nil {
			_, _ = d.Sweep(ctx)
			_ = w.disturb(ctx, outbox.Timeout)
		}
	})
	wg.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			w.mu.Lock()
			key := fmt.Sprint("key-", w.rng.IntN(5))
			w.mu.Unlock()
			w.write(ctx, writer, key, fmt.Sprintf("%d-%d-%d", id, n, time.Now().UnixNano()))
		}
	})
	wg.Wait()
}

func (w *world) write(ctx context.Context, writer *outbox.Writer, key, text string) {
	var version int64
	req := put(key, text)
	req.Render = func(e outbox.Entity, status int) outbox.Answer {
		version = e.Version
		return outbox.Answer{Status: status}
	}
	if _, err := writer.Write(ctx, req); err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked[key] = max(w.acked[key], version)
}

func (w *world) play(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			for life := range 4 {
				w.mu.Lock()
				span := time.Duration(200+w.rng.IntN(1500)) * time.Millisecond
				w.mu.Unlock()
				ctx, kill := context.WithTimeout(t.Context(), span)
				w.instance(ctx, 10*i+life)
				kill()
			}
		})
	}
	wg.Wait()
	w.mu.Lock()
	w.faults = false
	w.mu.Unlock()
	_, err := outbox.NewDispatcher(w.store(), w.pub, outbox.DispatcherOptions{Budget: time.Hour}).Sweep(t.Context())
	require.NoError(t, err)
	require.NoError(t, outboxtest.CheckDelivered(w.mem, w.pub))
	require.NotEmpty(t, w.acked)
	for key, version := range w.acked {
		require.GreaterOrEqual(t, entity(t, w.mem, key).Version, version, "an acknowledged write is gone")
	}
}
