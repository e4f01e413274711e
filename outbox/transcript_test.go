package outbox_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

var update = flag.Bool("update", false, "write the transcripts in testdata anew")

// scene is one run of the dispatcher in fake time, written down: what the clock said, what
// was done (>), and what the dispatcher told (everything else). A second dispatcher may
// stand for another instance.
type scene struct {
	*testing.T
	store *outboxtest.MemStore
	pub   *outboxtest.MemPublisher
	d     *outbox.Dispatcher
	opts  outbox.DispatcherOptions

	mu    sync.Mutex
	start time.Time
	text  strings.Builder
}

func (s *scene) line(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.text, "%9s  %s\n", time.Since(s.start).Round(time.Millisecond), fmt.Sprintf(format, args...))
}

// hear writes down a signal; who names the instance where there are several.
func (s *scene) hear(who string) outbox.Observer {
	return func(sig outbox.Signal) {
		switch sig := sig.(type) {
		case outbox.Published:
			s.line("%spublished %s/%d", who, sig.Event.Key, sig.Event.Seq)
		case outbox.Refused:
			s.line("%srefused %s/%d: %s: attempt %d, %s", who, sig.Event.Key, sig.Event.Seq, name(sig.Err), sig.Attempt, sig.Verdict.Action)
		case outbox.Parked:
			next := "never again"
			if due := sig.Fault.Due(); !due.IsZero() {
				next = "again in " + time.Until(due).String()
			}
			s.line("%sparked %s/%d after %d attempts, %s", who, sig.Event.Key, sig.Event.Seq, sig.Fault.Attempts, next)
		case outbox.Blocked:
			s.line("%sblocked: %s waits behind %d", who, sig.Key, sig.Seq)
		case outbox.Paused:
			s.line("%spaused for %s: %s", who, sig.For.Round(time.Millisecond), name(sig.Err))
		case outbox.Resumed:
			s.line("%sresumed after %s", who, sig.After.Round(time.Millisecond))
		case outbox.Dropped:
			s.line("%sdropped: no room for %s", who, sig.Key)
		case outbox.DrainFailed:
			s.line("%sdrain of %s failed: %s", who, sig.Key, name(sig.Err))
		}
	}
}

func name(err error) string {
	e, ok := errors.AsType[*outbox.Error](err)
	if !ok {
		return err.Error()
	}
	return strings.TrimSpace(e.Class.String() + " " + e.Condition)
}

func (s *scene) write(n int, keys ...string) {
	s.line("> write %d of %s", n, strings.Join(keys, ", "))
	fill(s.T, s.store, n, keys...)
}

func (s *scene) sweep(d *outbox.Dispatcher) {
	s.line("> sweep")
	r, err := d.Sweep(s.Context())
	require.NoError(s, err)
	s.line("swept %d keys: %d settled, %d parked, %d blocked, %d standing, oldest %s",
		r.Keys, r.Settled, r.Parked, r.Blocked, r.Standing, r.Oldest.Round(time.Millisecond))
}

func (s *scene) sleep(d time.Duration) { time.Sleep(d) }

// refuse has the broker answer events with what answer returns, from now on.
func (s *scene) refuse(what string, answer func(e outbox.Event) error) {
	s.line("> the broker %s", what)
	s.pub.Fault = func(_ context.Context, e outbox.Event) error {
		if answer == nil {
			return nil
		}
		return answer(e)
	}
}

func everything(err error) func(outbox.Event) error {
	return func(outbox.Event) error { return err }
}

// seeded draws the same numbers in every run.
func seeded() func(time.Duration) time.Duration {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(7, 7))
	return func(d time.Duration) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		if d <= 0 {
			return 0
		}
		return time.Duration(rng.Int64N(int64(d)))
	}
}

// TestTranscripts holds how the dispatcher behaves over time, in testdata, one file a rule.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]struct {
		opts outbox.DispatcherOptions
		play func(*scene)
	}{
		"backoff":      {outbox.DispatcherOptions{Budget: time.Minute}, sceneBackoff},
		"retry-after":  {outbox.DispatcherOptions{}, sceneRetryAfter},
		"recovery":     {outbox.DispatcherOptions{}, sceneRecovery},
		"wide-refusal": {outbox.DispatcherOptions{}, sceneWideRefusal},
		"one-key":      {outbox.DispatcherOptions{}, sceneOneKey},
		"parking":      {outbox.DispatcherOptions{}, sceneParking},
		"skip":         {outbox.DispatcherOptions{SkipParked: true}, sceneSkip},
		"budget":       {outbox.DispatcherOptions{Budget: 5 * time.Second, Page: 2}, sceneBudget},
		"overflow":     {outbox.DispatcherOptions{}, sceneOverflow},
		"orphans":      {outbox.DispatcherOptions{}, sceneOrphans},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := transcript(t, play.opts, play.play)
			file := filepath.Join("testdata", name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), text, "if this is meant: go test ./outbox -run Transcripts -update")
		})
	}
}

func transcript(t *testing.T, opts outbox.DispatcherOptions, play func(*scene)) (text string) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, store: &outboxtest.MemStore{}, pub: &outboxtest.MemPublisher{}, start: time.Now()}
		opts.Parallel, opts.Wide, opts.Jitter, opts.Observer = 1, 1, seeded(), s.hear("")
		s.opts = opts
		s.d = outbox.NewDispatcher(s.store, s.pub, opts)
		play(s)
		text = s.text.String()
	})
	return text
}

// An outage: pauses that double, with jitter, up to a quarter of a minute.
func sceneBackoff(s *scene) {
	s.write(1, "a")
	s.refuse("is away", everything(fault(outbox.Unavailable)))
	s.sweep(s.d)
}

// The broker's own wish stands above the backoff.
func sceneRetryAfter(s *scene) {
	s.write(1, "a")
	s.refuse("asks for 7 s", func(outbox.Event) error {
		if time.Since(s.start) < 7*time.Second {
			return &outbox.Error{Class: outbox.Throttled, RetryAfter: 7 * time.Second}
		}
		return nil
	})
	s.sweep(s.d)
}

// A pause is the destination's, and one success ends it for all.
func sceneRecovery(s *scene) {
	s.write(2, "a", "b", "c")
	s.refuse("is away for a second", func(outbox.Event) error {
		if time.Since(s.start) < time.Second {
			return fault(outbox.Unavailable)
		}
		return nil
	})
	s.sweep(s.d)
	s.write(1, "d")
	s.refuse("is away", everything(fault(outbox.Unavailable)))
	_, _ = s.d.Drain(s.Context(), "d", 200*time.Millisecond)
	s.refuse("is back", nil)
	s.sweep(s.d)
}

// Everything is refused for what it is: an outage, and nobody is to blame.
func sceneWideRefusal(s *scene) {
	s.write(2, "a", "b", "c", "d")
	s.refuse("refuses everything", everything(notAllowed()))
	s.sweep(s.d)
	s.sleep(35 * time.Second)
	s.write(1, "new")
	s.sweep(s.d)
	s.sleep(35 * time.Second)
	s.refuse("takes everything", nil)
	s.sweep(s.d)
}

// One key has work, and it is refused: nothing tells whether the message is to blame, until
// something else gets through.
func sceneOneKey(s *scene) {
	s.write(2, "a")
	s.refuse("refuses a/1", poisonous("a", 1))
	for range 3 {
		s.sweep(s.d)
		s.sleep(time.Minute)
	}
	s.write(1, "b")
	s.sweep(s.d)
	s.sleep(time.Minute)
	s.write(1, "b")
	s.sweep(s.d)
	s.sleep(20 * time.Second)
	s.sweep(s.d)
}

func poisonous(key string, seq int64) func(outbox.Event) error {
	return func(e outbox.Event) error {
		if e.Key == key && e.Seq == seq {
			return notAllowed()
		}
		return nil
	}
}

// parkFirst has a/1 parked.
func parkFirst(s *scene) {
	s.write(3, "a")
	s.refuse("refuses a/1", poisonous("a", 1))
	for !s.store.Events("a")[0].Parked() {
		s.write(1, "b")
		s.sweep(s.d)
		s.sleep(10 * time.Second)
	}
}

// A poisonous message: attempts that count, parking, a blocked key, slow tries, and the
// order that is kept when one of them gets through.
func sceneParking(s *scene) {
	parkFirst(s)
	for range 4 {
		s.sweep(s.d)
		s.sleep(time.Minute)
	}
	s.sleep(4 * time.Minute)
	s.sweep(s.d)
	s.refuse("is mended", nil)
	s.sleep(8 * time.Minute)
	s.sweep(s.d)
	s.write(1, "a")
	s.sweep(s.d)
}

// The same where parked events are skipped.
func sceneSkip(s *scene) {
	parkFirst(s)
	s.refuse("is mended", nil)
	s.sleep(time.Hour)
	s.write(1, "a")
	s.sweep(s.d)
}

// The budget ends in mid-drain: what is under way is finished, the rest is the next sweep's.
func sceneBudget(s *scene) {
	s.write(9, "a")
	s.refuse("takes 1 s for each", func(outbox.Event) error {
		time.Sleep(time.Second)
		return nil
	})
	s.sweep(s.d)
	s.sweep(s.d)
}

// The fast path is full: writes don't wait, and the next look or sweep finds what was dropped.
func sceneOverflow(s *scene) {
	hold := make(chan struct{})
	s.refuse("stalls", func(outbox.Event) error { <-hold; return nil })
	ctx, cancel := context.WithCancel(s.Context())
	f := outbox.NewFastPath(s.d, outbox.FastPathOptions{Workers: 1, Queue: 2, LookEvery: 2 * time.Second})
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(ctx) })
	for _, key := range []string{"a", "b", "c", "d"} {
		s.write(1, key)
		f.Notify(key)
		synctest.Wait()
	}
	s.sleep(time.Second)
	s.line("> the broker goes on")
	close(hold)
	s.sleep(3 * time.Second)
	cancel()
	wg.Wait()
}

// A writer dies with an event behind it; another one is cut off from the broker. One
// instance that looks for orphans relieves both.
func sceneOrphans(s *scene) {
	ctx, cancel := context.WithCancel(s.Context())
	s.opts.Observer = s.hear("looker: ")
	looker := outbox.NewFastPath(outbox.NewDispatcher(s.store, s.pub, s.opts), outbox.FastPathOptions{})
	var wg sync.WaitGroup
	wg.Go(func() { looker.Run(ctx) })
	s.sleep(10 * time.Second)
	s.write(2, "dead")
	s.line("> its writer dies")
	s.sleep(5 * time.Second)

	s.opts.Observer = s.hear("cut off: ")
	lost := &cutPublisher{Publisher: s.pub}
	lost.away.Store(true)
	writer := outbox.NewFastPath(outbox.NewDispatcher(s.store, lost, s.opts), outbox.FastPathOptions{LookEvery: -1})
	wg.Go(func() { writer.Run(ctx) })
	s.write(1, "cut")
	writer.Notify("cut")
	s.sleep(6 * time.Second)
	cancel()
	wg.Wait()
}
