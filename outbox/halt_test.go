package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		halt outbox.Halt
		key  string
		want bool
	}{
		{outbox.Halt{Scope: outbox.ScopeAll}, "order:7", true},
		{outbox.Halt{Scope: outbox.ScopeKind, Name: "order"}, "order:7", true},
		{outbox.Halt{Scope: outbox.ScopeKind, Name: "order"}, "order-line:7", false},
		{outbox.Halt{Scope: outbox.ScopeKey, Name: "order:7"}, "order:7", true},
		{outbox.Halt{Scope: outbox.ScopeKey, Name: "order:7"}, "order:77", false},
		{outbox.Halt{Scope: "later", Name: "order:7"}, "order:7", false}, // of a version to come
	} {
		require.Equal(t, row.want, row.halt.Covers(row.key), "%v %s", row.halt, row.key)
	}
}

// TestAPauseIsHonoured within three seconds by a dispatcher that is at work, at once by one that
// starts, and ended as fast; other keys go on, and order is kept.
func TestAPauseIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		o := outbox.NewOperator(s, s, "ann", "the subscriber is being mended")
		opts := outbox.DispatcherOptions{Halts: s.Halts}
		d := outbox.NewDispatcher(s, p, opts)
		sweep := func(d *outbox.Dispatcher) outbox.Report {
			r, err := d.Sweep(t.Context())
			require.NoError(t, err)
			return r
		}
		fill(t, s, 2, "order:7", "order:8", "profile:7")
		sweep(d)
		require.Len(t, p.Log(), 6)

		act, err := o.Pause(t.Context(), outbox.ScopeKind, "order")
		require.NoError(t, err)
		require.Equal(t, outbox.ActDone, act.State)
		fill(t, s, 2, "order:7", "order:8", "profile:7")
		r := sweep(outbox.NewDispatcher(s, p, opts)) // a process that was started since
		require.Equal(t, outbox.Report{Keys: 1, Settled: 2, Held: 2}, r)
		time.Sleep(3*time.Second + time.Millisecond)
		fill(t, s, 1, "profile:7")
		require.Equal(t, 2, sweep(d).Held)
		require.Len(t, p.Log(), 9)
		_, err = d.Drain(t.Context(), "order:7", time.Minute)
		require.ErrorContains(t, err, "an operator has paused it")
		require.Len(t, p.Log(), 9)

		_, err = o.Resume(t.Context(), outbox.ScopeKind, "order")
		require.NoError(t, err)
		time.Sleep(3*time.Second + time.Millisecond)
		require.Equal(t, 4, sweep(d).Settled)
		require.NoError(t, outboxtest.CheckDelivered(s, p))
		acts := history(t, s)
		require.Len(t, acts, 2)
		require.Equal(t, outbox.VerbResume, acts[0].Verb)
		require.Equal(t, outbox.ScopeKind, acts[1].Halt.Scope)
	})
}

// TestAPauseHoldsTheFastPath, too, and what it has left in the store goes out seconds after
// the pause, however long that was.
func TestAPauseHoldsTheFastPath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		ctx, stop := context.WithCancel(t.Context())
		f := outbox.NewFastPath(outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Halts: s.Halts}), outbox.FastPathOptions{})
		go f.Run(ctx)
		defer synctest.Wait()
		defer stop()
		o := outbox.NewOperator(s, s, "ann", "")
		_, err := o.Pause(t.Context(), outbox.ScopeKey, "order:7")
		require.NoError(t, err)
		w := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
		must(t, w, put("order:7", "a"))
		must(t, w, put("order:8", "a"))
		time.Sleep(time.Hour) // looks for orphans find it all the time
		require.Empty(t, p.Seqs("order:7"))
		require.Equal(t, []int64{1}, p.Seqs("order:8"))
		_, err = o.Resume(t.Context(), outbox.ScopeKey, "order:7")
		require.NoError(t, err)
		time.Sleep(5 * time.Second) // the answer is three seconds old at most, and so is a look one
		require.Equal(t, []int64{1}, p.Seqs("order:7"))
	})
}

// TestPausesAreAskedForSeldom: every three seconds while there is something to send, and not
// otherwise, whatever comes of it.
func TestPausesAreAskedForSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		var asked atomic.Int64
		var broken atomic.Bool
		d := outbox.NewDispatcher(s, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{Halts: func(ctx context.Context) (outbox.Halts, error) {
			asked.Add(1)
			if broken.Load() {
				return outbox.Halts{}, fault(outbox.Unavailable)
			}
			return s.Halts(ctx)
		}})
		for range 100 {
			fill(t, s, 1, "a:1", "b:1")
			_, err := d.Sweep(t.Context())
			require.NoError(t, err)
			time.Sleep(100 * time.Millisecond)
		}
		require.EqualValues(t, 4, asked.Load(), "ten seconds")
		_, err := outbox.NewOperator(s, s, "ann", "").Pause(t.Context(), outbox.ScopeKind, "a")
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.EqualValues(t, 4, asked.Load(), "nothing to send")

		fill(t, s, 1, "a:1", "b:1")
		_, err = d.Sweep(t.Context())
		require.NoError(t, err)
		require.Len(t, s.Events("a:1"), 1)
		broken.Store(true)
		for range 100 {
			fill(t, s, 1, "b:1")
			_, err = d.Sweep(t.Context())
			require.NoError(t, err)
			require.Empty(t, s.Events("b:1"))
			time.Sleep(100 * time.Millisecond)
		}
		require.Len(t, s.Events("a:1"), 1, "what was known stands while nobody can ask")
		require.EqualValues(t, 8, asked.Load())
	})
}

// TestPausesThatNobodyHasRead: a process that has never heard of them sends nothing before it
// has. The store that has them has the events, too.
func TestPausesThatNobodyHasRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		fill(t, s, 1, "a:1")
		broken := true
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Halts: func(ctx context.Context) (outbox.Halts, error) {
			if broken {
				return outbox.Halts{}, fault(outbox.Unavailable)
			}
			return s.Halts(ctx)
		}})
		_, err := d.Drain(t.Context(), "a:1", time.Minute)
		require.Equal(t, outbox.Unavailable, outbox.ClassOf(err))
		require.Empty(t, p.Log())
		broken = false
		time.Sleep(time.Second)
		_, err = d.Drain(t.Context(), "a:1", time.Minute)
		require.NoError(t, err)
		require.Len(t, p.Log(), 1)
	})
}

// TestAFaultIsAskedForOnce a second, however many keys wait, by sweeps and by looks for orphans.
func TestAFaultIsAskedForOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		for i := range 250 {
			fill(t, s, 1, fmt.Sprint("a:", i))
		}
		time.Sleep(2 * time.Second)
		asked, failed := 0, 0
		d := outbox.NewDispatcher(s, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{
			Halts: func(context.Context) (outbox.Halts, error) { asked++; return outbox.Halts{}, fault(outbox.Unavailable) },
			Observer: func(sig outbox.Signal) {
				if _, ok := sig.(outbox.DrainFailed); ok {
					failed++
				}
			},
		})
		ctx, stop := context.WithCancel(t.Context())
		go outbox.NewFastPath(d, outbox.FastPathOptions{}).Run(ctx)
		time.Sleep(time.Minute)
		stop()
		synctest.Wait()
		require.LessOrEqual(t, asked, 61)
		require.Zero(t, failed, "a look leaves them alone")
	})
}

// TestPausesThatComeLate: nobody waits for long who knows an older answer, and not each one.
func TestPausesThatComeLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		hangs := false
		d := outbox.NewDispatcher(s, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{Halts: func(ctx context.Context) (outbox.Halts, error) {
			if hangs {
				<-ctx.Done()
				return outbox.Halts{}, ctx.Err()
			}
			return s.Halts(ctx)
		}})
		drain := func() time.Duration {
			fill(t, s, 1, "a:1")
			began := time.Now()
			_, err := d.Drain(t.Context(), "a:1", time.Minute)
			require.NoError(t, err)
			return time.Since(began)
		}
		require.Zero(t, drain())
		hangs = true
		var waited time.Duration
		for range 60 {
			time.Sleep(time.Second)
			took := drain()
			require.LessOrEqual(t, took, time.Second)
			waited += took
		}
		require.LessOrEqual(t, waited, 20*time.Second, "of a minute and more")
	})
}

// backwards is a store whose search shows the newest events first, on pages of one.
type backwards struct{ *outboxtest.MemStore }

func (s backwards) Find(ctx context.Context, visit func([]outbox.Head) error) error {
	var all []outbox.Head
	if err := s.MemStore.Find(ctx, func(heads []outbox.Head) error {
		all = append(all, heads...)
		return nil
	}); err != nil {
		return err
	}
	for _, h := range slices.Backward(all) {
		if err := visit([]outbox.Head{h}); err != nil {
			return err
		}
	}
	return nil
}

// TestARedriveIsSentSoon, however often a look has found the key's followers before, and in
// whatever order one shows them.
func TestARedriveIsSentSoon(t *testing.T) {
	t.Parallel()
	for name, shown := range map[string]func(*outboxtest.MemStore) outbox.Queue{
		"on one page": func(s *outboxtest.MemStore) outbox.Queue { return s },
		"backwards":   func(s *outboxtest.MemStore) outbox.Queue { return backwards{s} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
				for range 3 {
					fill(t, s, 1, "k:1")
					time.Sleep(time.Millisecond)
				}
				require.NoError(t, s.Park(t.Context(), s.Events("k:1")[0], outbox.Fault{Reason: "r", At: time.Now(), Next: time.Now().Add(24 * time.Hour)}))
				ctx, stop := context.WithCancel(t.Context())
				go outbox.NewFastPath(outbox.NewDispatcher(shown(s), p, outbox.DispatcherOptions{}), outbox.FastPathOptions{}).Run(ctx)
				defer synctest.Wait()
				defer stop()
				time.Sleep(2 * time.Hour)
				_, err := outbox.NewOperator(s, s, "ann", "").Redrive(t.Context(), s.Events("k:1")[0])
				require.NoError(t, err)
				time.Sleep(2 * time.Second) // one look; the pause of a key that failed is minutes
				require.Equal(t, []int64{1, 2, 3}, p.Seqs("k:1"))
			})
		})
	}
}

// TestWhatIsPaused: the acts of pausing and their answers.
func TestWhatIsPaused(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	ann, bob := outbox.NewOperator(s, s, "ann", "r"), outbox.NewOperator(s, s, "bob", "")
	for _, bad := range []struct {
		scope outbox.Scope
		name  string
	}{
		{outbox.ScopeAll, "x"}, {outbox.ScopeKind, ""}, {outbox.ScopeKey, "x"}, {outbox.ScopeKey, ":x"}, {outbox.ScopeKey, "x:"}, {"", ""}, {"later", "x"},
	} {
		_, err := ann.Pause(t.Context(), bad.scope, bad.name)
		require.Error(t, err, "%v", bad)
		_, err = ann.Resume(t.Context(), bad.scope, bad.name)
		require.Error(t, err, "%v", bad)
	}
	require.Empty(t, history(t, s))
	expect := func(want outbox.ActState, do func(context.Context, outbox.Scope, string) (outbox.Act, error), scope outbox.Scope, name string) outbox.Act {
		t.Helper()
		act, err := do(t.Context(), scope, name)
		require.NoError(t, err)
		require.Equal(t, want, act.State)
		return act
	}
	expect(outbox.ActChanged, ann.Resume, outbox.ScopeAll, "")
	first := expect(outbox.ActDone, ann.Pause, outbox.ScopeAll, "")
	expect(outbox.ActChanged, bob.Pause, outbox.ScopeAll, "")
	expect(outbox.ActDone, bob.Pause, outbox.ScopeKey, "order:7")
	stand, err := bob.Pauses(t.Context())
	require.NoError(t, err)
	require.Len(t, stand, 2)
	require.Equal(t, *first.Halt, stand[0], "who was first, and why")
	expect(outbox.ActDone, bob.Resume, outbox.ScopeAll, "")
	require.Len(t, history(t, s), 3, "what changed nothing is no act")
}

// lostDesk loses answers of SetHalts, and has somebody else come first.
type lostDesk struct {
	*outboxtest.MemStore
	lose  func() bool
	first func()
}

func (d lostDesk) SetHalts(ctx context.Context, h outbox.Halts, a outbox.Act) error {
	d.first()
	err := d.MemStore.SetHalts(ctx, h, a)
	if err == nil && d.lose() {
		return &outbox.Error{Class: outbox.Ambiguous, Op: "set halts", Err: context.DeadlineExceeded}
	}
	return err
}

// unreadDesk cannot be read any more after the first SetHalts.
type unreadDesk struct {
	lostDesk
	set bool
}

func (d *unreadDesk) SetHalts(ctx context.Context, h outbox.Halts, a outbox.Act) error {
	d.set = true
	return d.lostDesk.SetHalts(ctx, h, a)
}

func (d *unreadDesk) Halts(ctx context.Context) (outbox.Halts, error) {
	if d.set {
		return outbox.Halts{}, fault(outbox.Unavailable)
	}
	return d.lostDesk.Halts(ctx)
}

// TestPausesOfSeveralOperators: who is overtaken tries again, and a lost answer is no failure.
func TestPausesOfSeveralOperators(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	others, lost := 0, 0
	d := lostDesk{s, func() bool { lost++; return lost%2 == 1 }, func() {
		if others++; others <= 3 {
			_, err := outbox.NewOperator(s, s, "other", "").Pause(t.Context(), outbox.ScopeKey, fmt.Sprint("k:", others))
			require.NoError(t, err)
		}
	}}
	act, err := outbox.NewOperator(d, s, "ann", "").Pause(t.Context(), outbox.ScopeKind, "order")
	require.NoError(t, err)
	require.Equal(t, outbox.ActDone, act.State)
	stand, err := s.Halts(t.Context())
	require.NoError(t, err)
	require.Len(t, stand.List, 4)
	lost = 0
	act, err = outbox.NewOperator(d, s, "ann", "").Resume(t.Context(), outbox.ScopeKind, "order")
	require.NoError(t, err)
	require.Equal(t, outbox.ActDone, act.State)

	d.lose = func() bool { return true }
	unread := unreadDesk{d, false}
	act, err = outbox.NewOperator(&unread, s, "ann", "").Pause(t.Context(), outbox.ScopeKind, "cat")
	require.ErrorContains(t, err, "it may have been done")
	require.Equal(t, outbox.ActBegun, act.State, "and it was")

	busy := lostDesk{s, func() bool { return false }, func() {
		others++
		_, err := outbox.NewOperator(s, s, "other", "").Pause(t.Context(), outbox.ScopeKey, fmt.Sprint("k:", others))
		require.NoError(t, err)
	}}
	act, err = outbox.NewOperator(busy, s, "ann", "").Pause(t.Context(), outbox.ScopeKind, "order")
	require.ErrorIs(t, err, outbox.ErrContended)
	require.Equal(t, outbox.ActFailed, act.State)
}
