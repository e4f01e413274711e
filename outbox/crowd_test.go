package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// tally counts what is at the store at the same time, and the bytes that were read and are
// not settled.
type tally struct {
	mu          sync.Mutex
	now, most   map[string]int
	bytes, peak int
}

func (c *tally) count(op string, by, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		c.now, c.most = map[string]int{}, map[string]int{}
	}
	c.now[op] += by
	c.most[op] = max(c.most[op], c.now[op])
	c.bytes += bytes
	c.peak = max(c.peak, c.bytes)
}

// busyStore is a store whose reads and settles take a while and are counted.
type busyStore struct {
	*outboxtest.MemStore
	tally
	takes time.Duration
}

func (s *busyStore) Pending(ctx context.Context, key string, after int64, limit int) ([]outbox.Event, error) {
	s.count("pending", 1, 0)
	time.Sleep(s.takes)
	page, err := s.MemStore.Pending(ctx, key, after, limit)
	s.count("pending", -1, size(page))
	return page, err
}

func (s *busyStore) Settle(ctx context.Context, key string, events []outbox.Event) error {
	s.count("settle", 1, 0)
	time.Sleep(s.takes)
	err := s.MemStore.Settle(ctx, key, events)
	s.count("settle", -1, -size(events))
	return err
}

func size(events []outbox.Event) (bytes int) {
	for _, e := range events {
		bytes += len(e.Envelope)
	}
	return bytes
}

// TestABacklogOfManyKeysFillsSends, however little each of them has, with no more reads and
// settles at the same time than were allowed.
func TestABacklogOfManyKeysFillsSends(t *testing.T) {
	t.Parallel()
	for _, each := range []int{1, 7, 120} {
		t.Run(fmt.Sprint(each), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &busyStore{MemStore: &outboxtest.MemStore{}, takes: 5 * time.Millisecond}
				p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error { return nil }}
				keys := 4200 / each
				for i := range keys {
					fill(t, s.MemStore, each, fmt.Sprint("k", i))
				}
				start := time.Now()
				report, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
				require.NoError(t, err)
				require.Equal(t, keys*each, report.Settled)
				require.NoError(t, outboxtest.CheckDelivered(s.MemStore, p))
				require.LessOrEqual(t, p.Calls(), keys*each/40, "sends")
				require.Equal(t, 16, s.most["pending"])
				require.LessOrEqual(t, s.most["settle"], 16)
				require.Less(t, time.Since(start), 10*time.Second, "it waits for the store, and hardly for itself")
			})
		})
	}
}

// TestAFewKeysDoNotWaitForOthers: when all that there are wait, the send begins.
func TestAFewKeysDoNotWaitForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		fill(t, s, 3, "a", "b", "c")
		start := time.Now()
		_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
		require.NoError(t, err)
		require.Zero(t, time.Since(start))
		require.NoError(t, outboxtest.CheckDelivered(s, p))
	})
}

// TestAFewKeysDoNotWaitForOneThatFails: it brings nothing, and then all that there are wait.
func TestAFewKeysDoNotWaitForOneThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		fill(t, mem, 1, "a", "b", "lost")
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, key string) error {
			if op == "pending" && key == "lost" {
				time.Sleep(50 * time.Millisecond)
				return errors.New("it cannot be read")
			}
			return nil
		}}
		start := time.Now()
		_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Budget: time.Millisecond}).Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 50*time.Millisecond, time.Since(start))
		require.Len(t, p.Log(), 2)
	})
}

// TestALoadIsBounded, by events and by bytes, with one page more at most.
func TestALoadIsBounded(t *testing.T) {
	t.Parallel()
	t.Run("events", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s, p := &outboxtest.MemStore{}, &loads{}
			for i := range 500 {
				fill(t, s, 1, fmt.Sprint("k", i))
			}
			_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Parallel: 500, Wide: 500}).Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, 256, p.events)
		})
	})
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s, p := heavy(t, 40, 100<<10), &loads{}
			_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
			require.NoError(t, err)
			require.Greater(t, p.bytes, 1<<20)
			require.Less(t, p.bytes, 1<<20+101<<10)
		})
	})
}

// TestAKeyThatHangsKeepsNobody: others wait for it a tenth of a second.
func TestAKeyThatHangsKeepsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.FaultyStore{Storage: &outboxtest.MemStore{}}
		p := &outboxtest.MemPublisher{}
		fill(t, s.Storage.(*outboxtest.MemStore), 1, "a", "b", "stuck")
		s.Before = func(_ context.Context, op, key string) error {
			if op == "pending" && key == "stuck" {
				time.Sleep(20 * time.Second)
			}
			return nil
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
			require.NoError(t, err)
		}()
		time.Sleep(201 * time.Millisecond) // each of them may have gone by itself
		require.Len(t, p.Log(), 2)
		<-done
		require.NoError(t, outboxtest.CheckDelivered(s.Storage.(*outboxtest.MemStore), p))
	})
}

// heavy is a store full of large events.
func heavy(t *testing.T, keys int, bytes int) *busyStore {
	t.Helper()
	s := &busyStore{MemStore: &outboxtest.MemStore{}, takes: time.Millisecond}
	w, state := outbox.NewWriter(s.MemStore, outbox.WriterOptions{Source: "/test"}), strings.Repeat("x", bytes)
	for i := range keys {
		_, err := w.Write(t.Context(), put(fmt.Sprint("k", i), state))
		require.NoError(t, err)
	}
	return s
}

// TestASweepHoldsNoMoreThanItMay, also when the broker is away for a while: its drains give
// back what they hold, and none waits for another for ever.
func TestASweepHoldsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]time.Duration{"well": 0, "away": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := heavy(t, 500, 230<<10)
				back := time.Now().Add(away)
				p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
					time.Sleep(20 * time.Millisecond)
					if time.Now().Before(back) {
						return fault(outbox.Unavailable)
					}
					return nil
				}}
				_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
				require.NoError(t, err)
				require.NoError(t, outboxtest.CheckDelivered(s.MemStore, p))
				if away == 0 { // else pages are read twice, and the count does not know
					require.Less(t, s.peak, 40<<20, "32 MB, and what 16 have just read")
				}
			})
		})
	}
}

// bulky is a store whose events seem to be of a megabyte each.
type bulky struct{ *outboxtest.MemStore }

var megabyte = make([]byte, 1<<20)

func (s bulky) Pending(ctx context.Context, key string, after int64, limit int) ([]outbox.Event, error) {
	page, err := s.MemStore.Pending(ctx, key, after, limit)
	for i := range page {
		page[i].Envelope = megabyte
	}
	return page, err
}

// TestALargeKeyGivesBackItsRoom with each page: all of it is more than a sweep may hold.
func TestALargeKeyGivesBackItsRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		fill(t, s, 300, "k")
		report, err := outbox.NewDispatcher(bulky{s}, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{}).Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 300, report.Settled)
	})
}

// TestASweepThatIsCutWhileDrainsWaitForRoom ends, and has given nothing back that it had not.
func TestASweepThatIsCutWhileDrainsWaitForRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		for i := range 60 {
			fill(t, s, 1, fmt.Sprint("k", i))
		}
		p := &outboxtest.MemPublisher{Fault: func(ctx context.Context, _ outbox.Event) error {
			<-ctx.Done()
			return fault(outbox.Timeout)
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := outbox.NewDispatcher(bulky{s}, p, outbox.DispatcherOptions{}).Sweep(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// TestSettlesThatHang: who waits for its turn behind them gives up, and the next sweep settles.
func TestSettlesThatHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		for i := range 12 {
			fill(t, mem, 1, fmt.Sprint("k", i))
		}
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(ctx context.Context, op, _ string) error {
			if op == "settle" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		report, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Parallel: 1, Wide: 12}).Sweep(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Settled)
		s.Before = nil
		report, err = outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 12, report.Settled)
	})
}

// TestASweepThatIsLateStartsNothing: of the keys that wait for a turn at the store when its time
// is over, none is read any more, and what the broker has is settled.
func TestASweepThatIsLateStartsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &busyStore{MemStore: &outboxtest.MemStore{}, takes: time.Second}
		p := &outboxtest.MemPublisher{}
		for i := range 500 {
			fill(t, s.MemStore, 1, fmt.Sprint("k", i))
		}
		start := time.Now()
		report, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Budget: 5 * time.Second, Observer: func(sig outbox.Signal) {
			if f, ok := sig.(outbox.DrainFailed); ok {
				t.Errorf("%+v", f)
			}
		}}).Sweep(t.Context())
		require.NoError(t, err)
		require.Less(t, time.Since(start), 15*time.Second)
		require.Len(t, p.Log(), report.Settled, "nothing goes out twice")
		require.Less(t, report.Settled, 120)
		_, err = outbox.NewDispatcher(s.MemStore, p, outbox.DispatcherOptions{}).Sweep(t.Context())
		require.NoError(t, err)
		require.NoError(t, outboxtest.CheckDelivered(s.MemStore, p))
	})
}

// TestASettleHasItsOwnTime: one that waits for its turn behind slow ones is not late, and one
// that hangs ends.
func TestASettleHasItsOwnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.FaultyStore{Storage: &outboxtest.MemStore{}}
		p := &outboxtest.MemPublisher{}
		for i := range 60 {
			fill(t, s.Storage.(*outboxtest.MemStore), 1, fmt.Sprint("k", i))
		}
		var cut []string
		s.Before = func(ctx context.Context, op, key string) error {
			switch {
			case op != "settle":
				return nil
			case key == "k7":
				<-ctx.Done()
				return ctx.Err()
			default:
				time.Sleep(900 * time.Millisecond)
				return nil
			}
		}
		_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Parallel: 3, Wide: 60, Observer: func(sig outbox.Signal) {
			if f, ok := sig.(outbox.DrainFailed); ok {
				cut = append(cut, f.Key)
			}
		}}).Sweep(t.Context())
		require.NoError(t, err)
		require.Contains(t, cut, "k7")
		for i := range 60 {
			if key := fmt.Sprint("k", i); key != "k7" {
				require.Equal(t, []int64{1}, p.Seqs(key), key)
				require.Empty(t, s.Storage.(*outboxtest.MemStore).Events(key), key)
			}
		}
	})
}

// loads remembers which keys went out together, and the largest loads.
type loads struct {
	outboxtest.MemPublisher
	mu            sync.Mutex
	all           []map[string]bool
	events, bytes int
}

func (p *loads) Publish(ctx context.Context, events []outbox.Event) []error {
	keys := map[string]bool{}
	for _, e := range events {
		keys[e.Key] = true
	}
	p.mu.Lock()
	p.all = append(p.all, keys)
	p.events, p.bytes = max(p.events, len(events)), max(p.bytes, size(events))
	p.mu.Unlock()
	return p.MemPublisher.Publish(ctx, events)
}

// TestWhoWasRefusedGoesAlone, behind the others: they do not travel with it, and their fate
// tells whether it is the message.
func TestWhoWasRefusedGoesAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &busyStore{MemStore: &outboxtest.MemStore{}, takes: time.Millisecond}, &loads{}
		p.Fault = poison("bad", 1)
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{})
		fill(t, s.MemStore, 1, "bad")
		for round := 0; !s.Events("bad")[0].Parked(); round++ {
			require.Less(t, round, 6, "each round but the first proves something, or the next one does")
			fill(t, s.MemStore, 1, "a", "b", "c")
			_, err := d.Sweep(t.Context())
			require.NoError(t, err)
			time.Sleep(20 * time.Second)
		}
		alone := 0
		for i, keys := range p.all {
			if keys["bad"] && i > 0 {
				require.Len(t, keys, 1, "load %d", i)
				alone++
			}
		}
		require.GreaterOrEqual(t, alone, 2)
	})
}

// TestASweepThatIsCutSaysSoOnce: hundreds of drains end with it, and none of them failed.
func TestASweepThatIsCutSaysSoOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		for i := range 40 {
			fill(t, mem, 1, fmt.Sprint("k", i))
		}
		s := &outboxtest.FaultyStore{Storage: mem}
		s.Before = func(ctx context.Context, op, _ string) error {
			if op == "pending" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		failed := 0
		d := outbox.NewDispatcher(s, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
			if _, ok := sig.(outbox.DrainFailed); ok {
				failed++
			}
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := d.Sweep(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, failed)
	})
}
