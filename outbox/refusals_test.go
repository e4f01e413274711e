package outbox_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// notAllowed is a refusal of one message, or of everything.
func notAllowed() error {
	return &outbox.Error{Class: outbox.Rejected, Condition: "amqp:not-allowed", Op: "send"}
}

// running runs the fast path until the end of the bubble's test.
func running(t *testing.T, d *outbox.Dispatcher, opts outbox.FastPathOptions) *outbox.FastPath {
	f := outbox.NewFastPath(d, opts)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return f
}

// TestADestinationThatRefusesEverything parks nothing, however long and with however few
// keys, is not hammered, and gets everything within a tick of its recovery.
func TestADestinationThatRefusesEverything(t *testing.T) {
	t.Parallel()
	for _, class := range []outbox.Class{outbox.Rejected, outbox.TooLarge} {
		for _, keys := range []int{1, 2, 40} {
			for _, span := range []time.Duration{3 * time.Second, 30 * time.Minute, 24 * time.Hour} {
				for _, condition := range []string{"amqp:not-allowed", ""} {
					if span > time.Hour && (keys > 2 || class == outbox.TooLarge || condition == "") {
						continue // a day takes its time, in fake time too
					}
					t.Run(fmt.Sprintf("%v keys=%d for=%v condition=%s", class, keys, span, condition), func(t *testing.T) {
						t.Parallel()
						synctest.Test(t, func(t *testing.T) {
							refuseEverything(t, keys, span, &outbox.Error{Class: class, Condition: condition, Op: "send"})
						})
					})
				}
			}
		}
	}
}

func refuseEverything(t *testing.T, keys int, span time.Duration, refusal error) {
	s := &outboxtest.MemStore{}
	var sends atomic.Int64
	var refusing atomic.Bool
	p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
		if refusing.Load() {
			sends.Add(1)
			return refusal
		}
		return nil
	}}
	d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{MinAge: 5 * time.Second, Observer: func(sig outbox.Signal) {
		if parked, ok := sig.(outbox.Parked); ok {
			t.Errorf("parked: %+v", parked)
		}
	}})
	f := running(t, d, outbox.FastPathOptions{})
	w := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
	write := func(text string) {
		for i := range keys {
			_, err := w.Write(t.Context(), put(fmt.Sprint("k", i), text))
			require.NoError(t, err)
		}
	}
	write("before")
	synctest.Wait()
	refusing.Store(true)
	write("1")
	write("2")
	for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(min(time.Minute, time.Until(end))) {
		_, err := d.Sweep(t.Context())
		require.NoError(t, err)
	}
	rate := float64(keys) / 10 // each key for itself, where there is nothing to compare
	if outbox.ConditionOf(refusal) != "" {
		rate = min(rate, 2)
	}
	require.LessOrEqual(t, sends.Load(), int64(4*keys)+int64(span.Seconds()*rate), "it is probed, not hammered")
	refusing.Store(false)
	time.Sleep(time.Minute)
	require.NoError(t, outboxtest.CheckDelivered(s, p))
}

// TestARefusalThatComesAndGoes: what was refused before the destination took something, and
// not again after, is not to blame, however often that happens.
func TestARefusalThatComesAndGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if time.Now().Unix()%60 < 30 {
				return notAllowed()
			}
			return nil
		}}
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
			if parked, ok := sig.(outbox.Parked); ok {
				t.Errorf("parked: %+v", parked)
			}
		}})
		f := running(t, d, outbox.FastPathOptions{})
		w := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
		for i := range 600 {
			_, err := w.Write(t.Context(), put(fmt.Sprint("k", i%7), fmt.Sprint(i)))
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		require.NoError(t, outboxtest.CheckDelivered(s, p))
	})
}

// TestManyPoisonousKeysHoldUpNobody: so many in a row look like a destination that refuses
// everything, until a key that is in order gets through, which doesn't wait for the pause.
func TestManyPoisonousKeysHoldUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		var slowest atomic.Int64 // one drain at a time sends good events
		p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
			if e.Key != "good" {
				return notAllowed()
			}
			slowest.Store(max(slowest.Load(), int64(time.Since(e.CreatedAt))))
			return nil
		}}
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{})
		f := running(t, d, outbox.FastPathOptions{})
		w := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
		for i := range 20 {
			_, err := w.Write(t.Context(), put(fmt.Sprint("bad", i), "x"))
			require.NoError(t, err)
		}
		time.Sleep(10 * time.Minute)
		for i := range 30 {
			_, err := w.Write(t.Context(), put("good", fmt.Sprint(i)))
			require.NoError(t, err)
			time.Sleep(10 * time.Second)
		}
		require.Zero(t, slowest.Load())
		require.Len(t, p.Seqs("good"), 30)
		for i := range 20 {
			require.True(t, s.Events(fmt.Sprint("bad", i))[0].Parked(), "what got through is the proof")
		}
	})
}

// TestParkedEventsAreTriedAgain: slowly, in order before their followers, by whichever sweep
// comes first when they are due.
func TestParkedEventsAreTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		mended := false
		var tries []time.Time
		p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
			if e.Key != "k" || mended {
				return nil
			}
			tries = append(tries, time.Now())
			return notAllowed()
		}}
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{})
		fill(t, s, 3, "k")
		sweep := func() outbox.Report {
			time.Sleep(10 * time.Second)
			r, err := d.Sweep(t.Context())
			require.NoError(t, err)
			return r
		}
		for !s.Events("k")[0].Parked() {
			fill(t, s, 1, "healthy")
			sweep()
		}
		parked := time.Now()
		require.Equal(t, 1, sweep().Standing)
		tries = nil
		for time.Since(parked) < 12*time.Hour {
			sweep()
		}
		require.Len(t, tries, 6+10, "after 1, 2, 4, 8, 16 and 32 minutes, then every hour")
		for i, least := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
			before := parked
			if i > 0 {
				before = tries[i-1]
			}
			require.InDelta(t, least, tries[i].Sub(before), float64(30*time.Second), "try %d", i)
		}
		left := s.Events("k")
		require.Equal(t, 3+len(tries), left[0].Fault.Attempts)
		require.False(t, left[1].Parked(), "its followers wait, and are not to blame")
		mended = true
		for time.Since(tries[len(tries)-1]) < 61*time.Minute {
			sweep()
		}
		require.NoError(t, outboxtest.CheckDelivered(s, p))
		require.Equal(t, []int64{1, 2, 3}, p.Seqs("k"))
		require.Zero(t, sweep().Standing)
	})
}

// TestAParkedEventWithoutFollowers: no pending event leads a sweep to its key, and until it is due
// none looks at it.
func TestAParkedEventWithoutFollowers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem, looks := &outboxtest.MemStore{}, 0
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, key string) error {
			if op == "pending" && key == "k" {
				looks++
			}
			return nil
		}}
		mended := false
		p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
			if e.Key != "k" || mended {
				return nil
			}
			return notAllowed()
		}}
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{})
		sweep := func() {
			_, err := d.Sweep(t.Context())
			require.NoError(t, err)
			time.Sleep(10 * time.Second)
		}
		fill(t, mem, 1, "k")
		for !mem.Events("k")[0].Parked() {
			fill(t, mem, 1, "healthy")
			sweep()
		}
		mended, looks = true, 0
		sweep()
		sweep()
		require.Zero(t, looks, "it is not due for a minute")
		time.Sleep(time.Minute)
		sweep()
		require.Positive(t, looks)
		require.NoError(t, outboxtest.CheckDelivered(mem, p))
	})
}

// TestASkippedEventIsNeverSent: its followers were sent, so it would come after them. The
// document says so, whatever the options of the instance that meets it.
func TestASkippedEventIsNeverSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		fill(t, s, 3, "k")
		require.NoError(t, s.Park(t.Context(), s.Events("k")[0], outbox.Fault{Reason: "r", At: time.Now(), Attempts: 3}))
		skips := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{SkipParked: true})
		waits := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{})
		for range 3 {
			_, err := waits.Sweep(t.Context())
			require.NoError(t, err)
			require.Empty(t, p.Log())
		}
		_, err := skips.Sweep(t.Context())
		require.NoError(t, err)
		fill(t, s, 1, "k")
		for range 10 {
			time.Sleep(time.Hour)
			r, err := waits.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, r.Standing, "it stays visible")
		}
		require.Equal(t, []int64{2, 3, 4}, p.Seqs("k"))
	})
}

// TestTheEndOfAWideRefusalIsTheEndForAll: once one key gets through, none waits for its own
// time any more.
func TestTheEndOfAWideRefusalIsTheEndForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		s := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if mended.Load() {
				return nil
			}
			return notAllowed()
		}}
		var keys []string
		for i := range 20 {
			keys = append(keys, fmt.Sprint("k", i))
		}
		fill(t, s, 1, keys...)
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{})
		for range 8 {
			for _, key := range keys {
				_, _ = d.Drain(t.Context(), key, 20*time.Second)
			}
		}
		mended.Store(true)
		for len(s.Events(keys[0])) > 0 {
			_, _ = d.Drain(t.Context(), keys[0], time.Second)
			time.Sleep(10 * time.Millisecond)
		}
		for _, key := range keys {
			_, err := d.Drain(t.Context(), key, time.Second)
			require.NoError(t, err, key)
			require.Empty(t, s.Events(key))
		}
	})
}

// TestAnOutageDoesNotCountAgainstAParkedEvent that is tried again while it lasts.
func TestAnOutageDoesNotCountAgainstAParkedEvent(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error { return fault(outbox.Unavailable) }}
	fill(t, s, 1, "k")
	require.NoError(t, s.Park(t.Context(), s.Events("k")[0], outbox.Fault{Reason: "r", Attempts: 3, Next: time.Now().Add(-time.Second)}))
	parked := s.Events("k")
	_, _ = outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Drain(t.Context(), "k", 0)
	require.Equal(t, parked, s.Events("k"))
}

// TestAPolicyThatParksAtOnce: one refusal proves nothing, whatever the policy says. The second
// one does, once something else got through.
func TestAPolicyThatParksAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: poison("bad", 1)}
		fill(t, s, 1, "bad")
		var verdicts []outbox.Action
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{
			Policy: func(outbox.Event, error, int) outbox.Verdict { return outbox.Verdict{Action: outbox.Park} },
			Observer: func(sig outbox.Signal) {
				if r, ok := sig.(outbox.Refused); ok {
					verdicts = append(verdicts, r.Verdict.Action)
				}
			},
		})
		_, err := d.Drain(t.Context(), "bad", time.Minute)
		require.Error(t, err, "it waits")
		require.False(t, s.Events("bad")[0].Parked())
		fill(t, s, 1, "good")
		_, err = d.Drain(t.Context(), "good", time.Minute)
		require.NoError(t, err)
		_, err = d.Drain(t.Context(), "bad", time.Minute)
		require.Error(t, err, "it waits on: there was no pause that has ended")
		require.Len(t, verdicts, 1)
		time.Sleep(15 * time.Second)
		report, err := d.Drain(t.Context(), "bad", time.Minute)
		require.NoError(t, err)
		require.Equal(t, 1, report.Parked)
		require.Equal(t, []outbox.Action{outbox.Retry, outbox.Park}, verdicts)
		f := s.Events("bad")[0].Fault
		require.Equal(t, "send: too large", f.Reason)
		require.Equal(t, 2, f.Attempts)
		require.WithinDuration(t, time.Now(), f.At, 0)
		require.True(t, f.Next.After(f.At), "it is tried again")
	})
}

// TestAPolicyThatLetsAKeyWait: nobody but the key waits, for as long as the policy says.
func TestAPolicyThatLetsAKeyWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		away := true
		p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
			if away && e.Key == "k" {
				return fault(outbox.Unavailable)
			}
			return nil
		}}
		fill(t, s, 1, "k", "other")
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Policy: func(outbox.Event, error, int) outbox.Verdict {
			return outbox.Verdict{Action: outbox.Retry, After: 30 * time.Second}
		}})
		_, err := d.Drain(t.Context(), "k", time.Minute)
		require.Error(t, err)
		away = false
		_, err = d.Drain(t.Context(), "other", 0)
		require.NoError(t, err)
		time.Sleep(29 * time.Second)
		_, err = d.Drain(t.Context(), "k", 0)
		require.Error(t, err)
		require.Empty(t, p.Seqs("k"))
		time.Sleep(time.Second)
		_, err = d.Drain(t.Context(), "k", 0)
		require.NoError(t, err)
		require.Equal(t, []int64{1}, p.Seqs("k"))
	})
}

// TestADrainOutlastsAPause that ends within its budget.
func TestADrainOutlastsAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		throttled := true
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if throttled {
				throttled = false
				return &outbox.Error{Class: outbox.Throttled, RetryAfter: time.Second}
			}
			return nil
		}}
		fill(t, s, 2, "k")
		began := time.Now()
		report, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Drain(t.Context(), "k", 5*time.Second)
		require.NoError(t, err)
		require.Equal(t, 2, report.Settled)
		require.Equal(t, time.Second, time.Since(began))
	})
}

// TestRefusalsBetweenWhichOthersGetThrough are about the messages, however much they look
// alike: nobody is paused for them.
func TestRefusalsBetweenWhichOthersGetThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
			if strings.HasPrefix(e.Key, "bad") {
				return notAllowed()
			}
			return nil
		}}
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
			if paused, ok := sig.(outbox.Paused); ok {
				t.Errorf("paused: %+v", paused)
			}
		}})
		for i := range 4 {
			for _, key := range []string{fmt.Sprint("bad", i), fmt.Sprint("good", i)} {
				fill(t, s, 1, key)
				_, _ = d.Drain(t.Context(), key, time.Millisecond) // the bad ones stay
			}
			require.Empty(t, s.Events(fmt.Sprint("good", i)))
		}
	})
}

// oneEach is a store with one event for each key that it is asked about.
type oneEach struct{ *outboxtest.MemStore }

func (oneEach) Pending(_ context.Context, key string, _ int64, _ int) ([]outbox.Event, error) {
	return []outbox.Event{{Key: key, Seq: 1, ID: key}}, nil
}

// TestSuspectsAreBounded: for one more than a process remembers, one is forgotten.
func TestSuspectsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refuses := true
		d := outbox.NewDispatcher(oneEach{&outboxtest.MemStore{}}, &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if refuses {
				return fault(outbox.TooLarge)
			}
			return nil
		}}, outbox.DispatcherOptions{})
		settled := func() (n int) {
			for i := range 10_001 {
				report, _ := d.Drain(t.Context(), fmt.Sprint("k", i), 0) // the others wait
				n += report.Settled
			}
			return n
		}
		require.Zero(t, settled())
		refuses = false
		require.Equal(t, 1, settled())
	})
}

// TestTheEndOfAPauseIsTheEndForAll whose events were refused, however many those are.
func TestTheEndOfAPauseIsTheEndForAll(t *testing.T) {
	t.Parallel()
	for _, refused := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			s := &outboxtest.MemStore{}
			well := false
			p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
				switch {
				case well:
					return nil
				case e.Key == "other":
					return fault(outbox.Unavailable)
				}
				return fault(outbox.TooLarge)
			}}
			longest := func(d time.Duration) time.Duration { return d - 1 }
			d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Jitter: longest})
			keys := []string{"a", "b", "c"}[:refused]
			for _, key := range append(keys, "other") {
				fill(t, s, 1, key)
				_, err := d.Drain(t.Context(), key, 0)
				require.Error(t, err)
			}
			well = true
			time.Sleep(100 * time.Millisecond) // the pause is over, and no key's own wait
			for _, key := range append([]string{"other"}, keys...) {
				_, err := d.Drain(t.Context(), key, 0)
				require.NoError(t, err, key)
			}
			require.NoError(t, outboxtest.CheckDelivered(s, p))
		})
	}
}
