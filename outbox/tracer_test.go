package outbox_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// TestARoundIsForThoseInIt: a lane lives on behind its first request, so each round is told the
// traces of its own, and the store is asked in the context of the round.
func TestARoundIsForThoseInIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type roundKey struct{}
		var rounds [][]outbox.Trace
		ended := 0
		reached, letGo := make(chan struct{}, 10), make(chan struct{})
		slow := &outboxtest.FaultyStore{Storage: &outboxtest.MemStore{}, Before: func(ctx context.Context, op, _ string) error {
			require.Equal(t, len(rounds), ctx.Value(roundKey{}), op)
			if op == "commit" {
				reached <- struct{}{}
				<-letGo
			}
			return nil
		}}
		w := outbox.NewWriter(slow, outbox.WriterOptions{Tracer: func(ctx context.Context, of []outbox.Trace) (context.Context, func()) {
			rounds = append(rounds, of)
			return context.WithValue(ctx, roundKey{}, len(rounds)), sync.OnceFunc(func() { ended++ })
		}})
		traced := func(name string) outbox.Request {
			r := put("k", name)
			r.Trace.Parent = name
			return r
		}
		first := begin(t.Context(), w, traced("a"))
		<-reached
		second, third := begin(t.Context(), w, traced("b")), begin(t.Context(), w, traced("c"))
		synctest.Wait()
		close(letGo)
		for _, r := range []*written{first, second, third} {
			<-r.done
			require.NoError(t, r.err)
		}
		synctest.Wait()
		require.Len(t, rounds, 2)
		require.Equal(t, []outbox.Trace{{Parent: "a"}}, rounds[0])
		require.ElementsMatch(t, []outbox.Trace{{Parent: "b"}, {Parent: "c"}}, rounds[1])
		require.Equal(t, 2, ended)
	})
}

// TestASweepTellsWhatItFound, and one that failed does not.
func TestASweepTellsWhatItFound(t *testing.T) {
	t.Parallel()
	s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
	fill(t, s, 3, "k")
	var told []outbox.Signal
	o := func(sig outbox.Signal) {
		if _, ok := sig.(outbox.Swept); ok {
			told = append(told, sig)
		}
	}
	report, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: o}).Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, report.Settled)
	require.Equal(t, []outbox.Signal{outbox.Swept{Report: report}}, told)

	away := &outboxtest.FaultyStore{Storage: s, Before: func(context.Context, string, string) error {
		return &outbox.Error{Class: outbox.Unavailable, Op: "find"}
	}}
	_, err = outbox.NewDispatcher(away, p, outbox.DispatcherOptions{Observer: o}).Sweep(t.Context())
	require.Error(t, err)
	require.Len(t, told, 1)
}

// TestWhatGoesOutFromMemoryIsToldAsSuch: the fast path's hits are counted by it.
func TestWhatGoesOutFromMemoryIsToldAsSuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		var told []outbox.Signal
		d := outbox.NewDispatcher(s, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
			if _, ok := sig.(outbox.Settled); ok {
				told = append(told, sig)
			}
		}})
		f := outbox.NewFastPath(d, outbox.FastPathOptions{Workers: 1, LookEvery: -1})
		w := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.Run(ctx) }()
		must(t, w, put("k", "a"))
		time.Sleep(time.Second)
		f.Notify("k")
		must(t, w, put("l", "a"))
		time.Sleep(time.Second)
		cancel()
		<-done
		require.Equal(t, []outbox.Signal{outbox.Settled{Key: "k", Count: 1, Fresh: true}, outbox.Settled{Key: "l", Count: 1, Fresh: true}}, told)
		must(t, w, put("m", "a"))
		_, err := d.Drain(t.Context(), "m", time.Second)
		require.NoError(t, err)
		require.Equal(t, outbox.Settled{Key: "m", Count: 1}, told[2])
	})
}
