package replay_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/relaybox/relaybox/outbox/replay"
)

// TestRate: so many a second, from the first to the last.
func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		entities(t, s, 50)
		began := time.Now()
		_, err := process(s, func(o *replay.Options) { o.Rate = 10 }).Do(t.Context())
		require.NoError(t, err)
		require.Equal(t, 4900*time.Millisecond, time.Since(began))
	})
}

// TestThrottled: while the store asks for patience nothing is asked of it, for as long as it takes;
// afterwards the run goes on.
func TestThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		keys := entities(t, s, 30)
		busy := time.Now().Add(10 * time.Minute)
		asked := 0
		s.before = func(string) error {
			if time.Now().Before(busy) {
				asked++
				return &outbox.Error{Class: outbox.Throttled, RetryAfter: 30 * time.Second, Op: "test"}
			}
			return nil
		}
		r := process(s)
		var waits atomic.Value
		time.AfterFunc(time.Minute, func() { waits.Store(r.Progress().Waits) })
		run, err := r.Do(t.Context())
		require.NoError(t, err)
		require.Equal(t, len(keys), run.Snapshots)
		require.Contains(t, waits.Load(), "429")
		require.LessOrEqual(t, asked, 20)
		require.Empty(t, r.Progress().Waits)
	})
}

// TestBacklog: the run lets the dispatchers catch up.
func TestBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		entities(t, s, 30) // 60 events, which nobody sends
		r := process(s, func(o *replay.Options) { o.Backlog = 50 })
		done := make(chan error, 1)
		go func() { _, err := r.Do(t.Context()); done <- err }()
		time.Sleep(time.Hour)
		require.Zero(t, r.Progress().So().Snapshots)
		require.Contains(t, r.Progress().Waits, "more than 50 events")
		settle(t, s.MemStore)
		require.NoError(t, <-done)
		require.Equal(t, 30, r.Progress().So().Snapshots)
	})
}

// TestAStoreThatIsAway is borne for as long as Options.Patience, and the run can go on.
func TestAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		entities(t, s, 5)
		back := time.Now().Add(50 * time.Second)
		s.before = func(string) error {
			if time.Now().Before(back) {
				return &outbox.Error{Class: outbox.Unavailable, Op: "test"}
			}
			return nil
		}
		_, err := process(s, func(o *replay.Options) { o.Patience = 20 * time.Second }).Do(t.Context())
		require.Equal(t, outbox.Unavailable, outbox.ClassOf(err))
		run, err := process(s).Do(t.Context())
		require.NoError(t, err)
		require.Equal(t, 5, run.Snapshots)
	})
}

// TestInterrupted: whoever stops the run hears of that, and it goes on later.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		keys := entities(t, s, 50)
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		_, err := process(s, func(o *replay.Options) { o.Rate = 10 }).Do(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		run, err := process(s).Do(t.Context())
		require.NoError(t, err)
		require.Equal(t, 50, run.Snapshots+run.Known)
		require.NotZero(t, run.Known)
		for _, key := range keys {
			require.Len(t, snapshots(s.MemStore, key), 1)
		}
	})
}

// TestTwoProcesses: the later goes on, and the other ends.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		keys := entities(t, s, 50)
		ended := make(chan error, 1)
		go func() {
			_, err := process(s, func(o *replay.Options) { o.Rate = 10 }).Do(t.Context())
			ended <- err
		}()
		time.Sleep(1500 * time.Millisecond)
		run, err := process(s, func(o *replay.Options) { o.Rate = 10 }).Do(t.Context())
		require.NoError(t, err)
		require.True(t, run.Done)
		require.ErrorIs(t, <-ended, replay.ErrTaken)
		for _, key := range keys {
			require.Len(t, snapshots(s.MemStore, key), 1)
		}
	})
}

// TestAnswersThatAreLost are no failures: of a commit, and of where the run stands.
func TestAnswersThatAreLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		keys := entities(t, s, 25)
		lost := map[string]int{}
		s.after = func(op string) error {
			if lost[op]++; (op == "commit" || op == "keep") && lost[op]%2 == 1 {
				return &outbox.Error{Class: outbox.Ambiguous, Op: op}
			}
			return nil
		}
		r := process(&store{MemStore: s.MemStore, after: serial(s.after)})
		run, err := r.Do(t.Context())
		require.NoError(t, err)
		require.Equal(t, 25, run.Snapshots+run.Known)
		require.Greater(t, lost["keep"], 3)
		for _, key := range keys {
			require.Len(t, snapshots(s.MemStore, key), 1)
		}
	})
}

// serial calls f by one at a time.
func serial(f func(string) error) func(string) error {
	turn := make(chan struct{}, 1)
	return func(op string) error {
		turn <- struct{}{}
		defer func() { <-turn }()
		return f(op)
	}
}

// TestAPlaceThatIsForgotten: the store refuses to go on where the run was. It looks at all again, and
// nobody is told of twice.
func TestAPlaceThatIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		keys := entities(t, s, 25)
		pages := 0
		s.before = func(op string) error {
			if op == "entities" {
				if pages++; pages == 2 {
					return &outbox.Error{Class: outbox.Rejected, Op: op}
				}
			}
			return nil
		}
		run, err := process(s).Do(t.Context())
		require.NoError(t, err)
		require.Equal(t, replay.Counts{Entities: 25, Snapshots: 15, Known: 10}, run.Counts)
		for _, key := range keys {
			require.Len(t, snapshots(s.MemStore, key), 1)
		}
	})
}

// TestAReplicaThatLags does not show yet where the run stands: it goes on all the same.
func TestAReplicaThatLags(t *testing.T) {
	t.Parallel()
	s := &store{MemStore: &outboxtest.MemStore{}}
	entities(t, s, 25)
	pages := 0
	s.before = func(op string) error {
		if op == "entities" {
			pages++
		}
		if pages == 2 {
			return errKilled
		}
		return nil
	}
	first, err := process(s).Do(t.Context())
	require.ErrorIs(t, err, errKilled)
	s.before = nil
	s.stale.Store(true)
	run, err := process(s).Do(t.Context())
	require.NoError(t, err)
	require.Equal(t, first.ID, run.ID)
	require.Equal(t, replay.Counts{Entities: 25, Snapshots: 25}, run.Counts)
}
