package outbox_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// TestASuccessEndsTheBackoff: the pauses of an outage grow, and those of the next one
// begin anew.
func TestASuccessEndsTheBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		s := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if away.Load() {
				return fault(outbox.Unavailable)
			}
			return nil
		}}
		var pauses []time.Duration
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
			if paused, ok := sig.(outbox.Paused); ok {
				pauses = append(pauses, paused.For)
			}
		}})
		for i := range 2 {
			away.Store(true)
			pauses = nil
			fill(t, s, 1, fmt.Sprint("k", i))
			_, err := d.Sweep(t.Context())
			require.NoError(t, err)
			require.LessOrEqual(t, pauses[0], 100*time.Millisecond, "outage %d", i)
			require.Greater(t, pauses[len(pauses)-1], 3*time.Second)
			away.Store(false)
			time.Sleep(15 * time.Second)
			_, err = d.Sweep(t.Context())
			require.NoError(t, err)
		}
		require.NoError(t, outboxtest.CheckDelivered(s, p))
	})
}

// TestWhatTheBrokerHasIsSettledByAllMeans: the caller's end between the broker's answer
// and the settle would have it sent again.
func TestWhatTheBrokerHasIsSettledByAllMeans(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &outboxtest.MemStore{}
	p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
		if e.Seq == 2 {
			cancel()
		}
		return nil
	}}
	fill(t, s, 2, "k")
	_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Drain(ctx, "k", time.Minute)
	require.NoError(t, err)
	require.Empty(t, s.Events("k"))
}

// TestKeysThatMeetThePauseAreDrainedInTheSameSweep: all of them, once it is over.
func TestKeysThatMeetThePauseAreDrainedInTheSameSweep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(10 * time.Second)
		s := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if time.Now().Before(back) {
				return &outbox.Error{Class: outbox.Throttled, RetryAfter: 10 * time.Second}
			}
			return nil
		}}
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Parallel: 4})
		for i := range 20 {
			fill(t, s, 2, fmt.Sprint("k", i))
		}
		_, err := d.Drain(t.Context(), "k0", time.Second)
		require.Error(t, err, "the pause is longer than its budget")
		require.Zero(t, time.Since(back.Add(-10*time.Second)), "so it does not wait for it")
		_, err = d.Sweep(t.Context())
		require.NoError(t, err)
		require.NoError(t, outboxtest.CheckDelivered(s, p), "nobody waits for the next sweep")
	})
}

// TestAKeyThatGivesUpOnThePauseComesUpAgain: a pause that is longer than the sweep ends its
// drain. If the pause turns out shorter, the key is drained in the next pass, even when
// nothing else is left to do.
func TestAKeyThatGivesUpOnThePauseComesUpAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		s := &outboxtest.FaultyStore{Storage: mem}
		var refused atomic.Bool
		p := &outboxtest.MemPublisher{Fault: func(ctx context.Context, e outbox.Event) error {
			switch {
			case e.Key == "a" && !refused.Swap(true):
				return &outbox.Error{Class: outbox.Throttled, RetryAfter: time.Hour}
			case e.Key == "b": // opens the gate that a has shut
				time.Sleep(time.Second)
			}
			return nil
		}}
		fill(t, mem, 1, "a", "c")
		time.Sleep(time.Minute)
		fill(t, mem, 1, "b") // too young for the sweep: whether a shuts or b opens last is not left to luck
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{MinAge: 10 * time.Second})
		s.Before = func(ctx context.Context, op, key string) error {
			if op == "pending" && key == "c" { // keeps the sweep's pass going, and comes to nothing
				time.Sleep(2 * time.Second)
				return mem.Settle(ctx, key, mem.Events(key))
			}
			return nil
		}
		go func() { _, _ = d.Drain(t.Context(), "b", time.Minute) }()
		synctest.Wait()
		swept := time.Now()
		_, err := d.Sweep(t.Context())
		require.NoError(t, err)
		require.True(t, refused.Load())
		require.Equal(t, []int64{1}, p.Seqs("a"))
		require.Empty(t, mem.Events("a"))
		require.Less(t, time.Since(swept), 10*time.Second)
	})
}

// TestOurOwnDeadlineSaysNothingAboutTheBroker: a drain that is cut pauses nobody else.
func TestOurOwnDeadlineSaysNothingAboutTheBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(ctx context.Context, e outbox.Event) error {
			if e.Key != "slow" {
				return nil
			}
			<-ctx.Done()
			return &outbox.Error{Class: outbox.Timeout, Op: "send", Err: context.Cause(ctx)}
		}}
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
			if paused, ok := sig.(outbox.Paused); ok {
				t.Errorf("paused: %+v", paused)
			}
		}})
		fill(t, s, 1, "slow", "k")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := d.Drain(ctx, "slow", time.Minute)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		start := time.Now()
		_, err = d.Drain(t.Context(), "k", time.Minute)
		require.NoError(t, err)
		require.Zero(t, time.Since(start))
		require.Empty(t, s.Events("k"))
	})
}

// TestOneKeyAtATimeTriesWhileEverythingIsRefused, and when the destination takes events again
// nobody waits for the end of its own pause.
func TestOneKeyAtATimeTriesWhileEverythingIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		back := start.Add(time.Minute)
		s := &outboxtest.MemStore{}
		atOnce := map[string]bool{}
		var first, last time.Time // publish after it is back
		p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
			if time.Now().Equal(start) {
				atOnce[e.Key] = true
			}
			if time.Now().Before(back) {
				return &outbox.Error{Class: outbox.Rejected, Condition: "refused", Err: fmt.Errorf("no")}
			}
			if last = time.Now(); first.IsZero() {
				first = last
			}
			return nil
		}}
		for i := range 8 {
			fill(t, s, 1, fmt.Sprint("k", i))
		}
		_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Parallel: 1, Wide: 1, Budget: 5 * time.Minute}).Sweep(t.Context())
		require.NoError(t, err)
		require.Len(t, atOnce, 4, "three that show it, and one")
		require.Less(t, last.Sub(first), time.Second)
		require.NoError(t, outboxtest.CheckDelivered(s, p))
	})
}

// TestASweepOutlivesAShortOutage, also when each failing send takes a while: a key that tried in
// vain comes again.
func TestASweepOutlivesAShortOutage(t *testing.T) {
	t.Parallel()
	for _, keys := range []int{1, 3, 20} {
		synctest.Test(t, func(t *testing.T) {
			back := time.Now().Add(3 * time.Second)
			s := &outboxtest.MemStore{}
			p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
				time.Sleep(20 * time.Millisecond)
				if time.Now().Before(back) {
					return fault(outbox.Unavailable)
				}
				return nil
			}}
			for i := range keys {
				fill(t, s, 2, fmt.Sprint("k", i))
			}
			_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
			require.NoError(t, err)
			require.NoError(t, outboxtest.CheckDelivered(s, p), "%d keys", keys)
		})
	}
}

// TestDoubtDoesNotStarve: after a failure, keys that have nothing to send do not keep the others
// waiting for them, one after another.
func TestDoubtDoesNotStarve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &busyStore{MemStore: &outboxtest.MemStore{}, takes: 10 * time.Millisecond}
		fail := true
		p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
			if fail {
				return fault(outbox.Unavailable)
			}
			return nil
		}}
		for i := range 2000 {
			fill(t, s.MemStore, 1, fmt.Sprintf("k%04d", i))
			e := s.Events(fmt.Sprintf("k%04d", i))[0]
			fill(t, s.MemStore, 1, e.Key)
			require.NoError(t, s.Park(t.Context(), e, outbox.Fault{Reason: "poison", Next: time.Now().Add(24 * time.Hour)}))
		}
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Budget: 5 * time.Second})
		fill(t, s.MemStore, 1, "z")
		_, err := d.Drain(t.Context(), "z", 0)
		require.NoError(t, err)
		fail = false
		time.Sleep(time.Minute)
		_, err = d.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, []int64{1}, p.Seqs("z"))
	})
}
