package explore

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/internal/pace"
	"github.com/relaybox/relaybox/outbox"
)

var bound = flag.Int("bound", 1, "how many times larger the explored cases are than in an ordinary run: states and faults")

// once allows each of the faults once.
func once(faults ...Fault) map[Fault]int {
	all := map[Fault]int{}
	for _, f := range faults {
		all[f] = 1
	}
	return all
}

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // paths leave much behind and hold little
	os.Exit(m.Run())
}

func explore(t *testing.T, states int, c Case) {
	t.Run(c.Name, func(t *testing.T) {
		t.Parallel()
		c.Total += *bound - 1
		found := Explore(t, c, states**bound/slower)
		t.Logf("%s: %s", c.Name, found)
		if found.Breach != nil {
			t.Fatalf("%v\n%s", found.Breach, Transcript(t, c, found.Path))
		}
	})
}

// dispatcher adds a process that sweeps once.
func dispatcher(w *World, name string, opts outbox.DispatcherOptions) *Proc {
	p := w.Proc("D", name)
	opts.Budget, opts.Jitter = budget, noJitter
	d := outbox.NewDispatcher(p.Queue(), p.Publisher(), opts)
	p.Run("sweep", func(ctx context.Context) { _, _ = d.Sweep(ctx) })
	return p
}

// budget is longer than any path.
const budget = time.Hour

// noJitter makes pauses as short as they can be; see the package's word about times.
func noJitter(time.Duration) time.Duration { return 0 }

// fast is a fast path that looks for nothing but what it is told about.
func fast(p *Proc, opts outbox.DispatcherOptions) *outbox.FastPath {
	opts.Jitter = noJitter
	return outbox.NewFastPath(outbox.NewDispatcher(p.Queue(), p.Publisher(), opts), outbox.FastPathOptions{Workers: 1, Budget: budget, LookEvery: -1})
}

// parker adds a process that tries the key again and again while another key gets through:
// without that no refusal counts against an event.
func parker(w *World, name string) {
	p := w.Proc("D", name)
	d := outbox.NewDispatcher(healthyToo{p.Queue()}, bothKeys{p.Publisher()}, outbox.DispatcherOptions{Jitter: noJitter, Policy: outbox.ParkAfter(2)})
	p.Run("drains", func(ctx context.Context) {
		for range 3 {
			_, _ = d.Drain(ctx, key, budget)
			_, _ = d.Drain(ctx, other, budget)
			if pace.Sleep(ctx, time.Second/2) != nil {
				return
			}
		}
	})
}

// other is a key that always has one event to send, which nobody sees.
const other = "note:2"

type healthyToo struct{ outbox.Queue }

// Pending implements outbox.Queue.
func (q healthyToo) Pending(ctx context.Context, of string, after int64, limit int) ([]outbox.Event, error) {
	if of == other {
		return []outbox.Event{{Key: other, Seq: 1}}, nil
	}
	return q.Queue.Pending(ctx, of, after, limit)
}

// Settle implements outbox.Queue.
func (q healthyToo) Settle(ctx context.Context, of string, events []outbox.Event) error {
	if of == other {
		return nil
	}
	return q.Queue.Settle(ctx, of, events)
}

type bothKeys struct{ outbox.Publisher }

// Publish implements outbox.Publisher.
func (p bothKeys) Publish(ctx context.Context, events []outbox.Event) []error {
	if events[0].Key == other {
		return make([]error, len(events))
	}
	return p.Publisher.Publish(ctx, events)
}

// fastPath adds a process that has just committed key's events.
func fastPath(w *World, name string, opts outbox.DispatcherOptions) *Proc {
	p := w.Proc("F", name)
	f := fast(p, opts)
	p.Run("fast path", func(ctx context.Context) { f.Notify(key); f.Run(ctx) })
	return p
}

// swept lets a healthy dispatcher finish, and checks that all n events are where they belong.
func swept(w *World, n int64) error {
	p := w.Proc("", "last")
	d := outbox.NewDispatcher(p.Queue(), p.Publisher(), outbox.DispatcherOptions{Budget: budget})
	if _, err := d.Sweep(p.ctx); err != nil {
		return err
	}
	if left := w.Store.now().events; len(left) > 0 {
		return fmt.Errorf("G1, no loss: %s are left after a healthy sweep", eventsText(left))
	}
	if got := w.Bus.reached(); got != n {
		return fmt.Errorf("G1, no loss: the broker has %d of %d events", got, n)
	}
	return nil
}

func TestDispatchers(t *testing.T) {
	t.Parallel()
	explore(t, 20_000, Case{
		Name: "2 dispatchers and a fast path, 3 events", Faults: once(Fail, Lost, Stale, Crash, Cut), Total: 1,
		Setup: func(w *World) {
			w.Store.Seed(3)
			dispatcher(w, "D1", outbox.DispatcherOptions{})
			dispatcher(w, "D2", outbox.DispatcherOptions{})
			fastPath(w, "F", outbox.DispatcherOptions{})
		},
		End: func(w *World) error { return swept(w, 3) },
	})
	explore(t, 20_000, Case{
		Name: "2 dispatchers, 3 events, pages of 2", Faults: once(Fail, Lost, Stale, Crash, Cut), Total: 2,
		Setup: func(w *World) {
			w.Store.Seed(3)
			dispatcher(w, "D1", outbox.DispatcherOptions{Page: 2})
			dispatcher(w, "D2", outbox.DispatcherOptions{Page: 2})
		},
		End: func(w *World) error { return swept(w, 3) },
	})
	explore(t, 20_000, Case{
		Name: "2 dispatchers, the broker refuses event 2", Faults: once(Fail, Lost, Stale, Crash, Cut), Total: 1,
		Setup: func(w *World) {
			w.Store.Seed(3)
			w.Bus.Refuses = []int64{2}
			parker(w, "D1")
			parker(w, "D2")
		},
		End: func(w *World) error {
			if left := eventsText(w.Store.now().events); left != "[2 parked', 3]" && (w.c.Total == w.total || left != "[2, 3]") {
				return fmt.Errorf("G5, poison: %s are left, not the refused event, parked if nothing else went wrong, and what waits behind it", left)
			}
			if got := w.Bus.reached(); got != 1 {
				return fmt.Errorf("G3, order: event %d went out behind the parked event 2", got)
			}
			return nil
		},
	})
}

func plain(e outbox.Event) (inbox.Event, error) {
	return inbox.Event{Key: e.Key, Seq: e.Seq, ID: e.ID, Type: "noted", Incarnation: inbox.Incarnation{ID: "i", First: 1}}, nil
}

// consumed lets a healthy consumer finish, and checks that all n events had their effect.
func consumed(w *World, n int, decode func(outbox.Event) (inbox.Event, error)) error {
	p := w.Proc("", "last consumer")
	box := inbox.New(p.Models(), effect, inbox.Options{})
	for _, e := range w.Bus.left() {
		if err := handle(p.ctx, box, decode, message{event: e}); err != nil {
			return err
		}
	}
	if now := w.Views.now(); len(now.effects) != n || len(now.early) > 0 {
		return fmt.Errorf("G1 and G4: of %d events %d had their effect, and %v are early", n, now.effects, now.model.Early)
	}
	return nil
}

func TestConsumers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		messages []int64 // events from 0
		total    int
	}{
		{"2 consumers, 2 events, the first twice", []int64{0, 1, 0}, 1},
		{"2 consumers, 2 events", []int64{0, 1}, 2},
	} {
		explore(t, 20_000, Case{
			Name: c.name, Faults: once(Fail, Lost, Stale, Crash, Unlock), Total: c.total,
			Setup: func(w *World) {
				w.Store.Seed(2)
				w.Bus.Copies = true
				for _, i := range c.messages {
					w.Bus.take(w.Store.now().events[i])
				}
				for _, name := range []string{"C1", "C2"} {
					p := w.Proc("C", name)
					p.Consume(inbox.New(p.Models(), effect, inbox.Options{Hold: budget}), 1, plain)
				}
			},
			End: func(w *World) error { return consumed(w, 2, plain) },
		})
	}
	explore(t, 20_000, Case{
		Name: "2 consumers, 3 events, each twice", Faults: once(Fail, Lost, Stale, Crash, Unlock), Total: 2,
		Setup: func(w *World) {
			w.Store.Seed(3)
			w.Bus.Copies = true
			for _, i := range []int64{0, 0, 1, 0, 2, 1} {
				w.Bus.take(w.Store.now().events[i])
			}
			for _, name := range []string{"C1", "C2"} {
				p := w.Proc("C", name)
				p.Consume(inbox.New(p.Models(), effect, inbox.Options{Hold: budget, MaxWaiting: 1}), 2, plain)
			}
		},
		End: func(w *World) error { return consumed(w, 3, plain) },
	})
	explore(t, 20_000, Case{
		Name: "dispatcher, fast path, consumer, 3 events", Faults: once(Fail, Lost, Stale, Crash, Unlock), Total: 1,
		Setup: func(w *World) {
			w.Store.Seed(3)
			dispatcher(w, "D1", outbox.DispatcherOptions{})
			fastPath(w, "F", outbox.DispatcherOptions{})
			w.Bus.Copies = true
			p := w.Proc("C", "C1")
			p.Consume(inbox.New(p.Models(), effect, inbox.Options{Hold: budget}), 1, plain)
		},
		End: func(w *World) error {
			if err := swept(w, 3); err != nil {
				return err
			}
			return consumed(w, 3, plain)
		},
	})
}

func TestTranscriptRepeatsAPath(t *testing.T) {
	t.Parallel()
	c := Case{Setup: func(w *World) {
		w.Store.Seed(1)
		dispatcher(w, "D1", outbox.DispatcherOptions{})
	}}
	text := Transcript(t, c, []step{{who: "D1", what: "find parked"}, {who: "D1", what: "find"}, {who: "D1", what: "pending"}, {who: "D1", what: "send 1"}})
	require.Len(t, strings.Split(strings.TrimSpace(text), "\n"), 4, text)
}
