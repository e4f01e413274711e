package outbox_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

func TestFastPath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		f := outbox.NewFastPath(outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() { defer close(stopped); f.Run(ctx) }()
		w := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
		for i := range 100 {
			_, err := w.Write(t.Context(), put(fmt.Sprint("k", i%7), fmt.Sprint(i)))
			require.NoError(t, err)
		}
		synctest.Wait()
		require.NoError(t, outboxtest.CheckDelivered(s, p))
		cancel()
		<-stopped
	})
}

// TestFastPathEndsWhenItsWorkersHave: what they use may be closed behind it.
func TestFastPathEndsWhenItsWorkersHave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		letGo := make(chan struct{})
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			<-letGo
			return nil
		}}
		fill(t, s, 1, "k")
		f := outbox.NewFastPath(outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{LookEvery: -1})
		ctx, cancel := context.WithCancel(t.Context())
		var ended atomic.Bool
		go func() {
			f.Run(ctx)
			ended.Store(true)
		}()
		f.Notify("k")
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.False(t, ended.Load())
		close(letGo)
		synctest.Wait()
		require.True(t, ended.Load())
		require.Empty(t, s.Events("k"))
	})
}

func TestFastPathNeverBlocksTheWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(ctx context.Context, _ outbox.Event) error {
			<-ctx.Done() // accepts and stalls
			return &outbox.Error{Class: outbox.Timeout, Err: ctx.Err()}
		}}
		dropped := 0
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
			if _, ok := sig.(outbox.Dropped); ok {
				dropped++
			}
		}})
		f := outbox.NewFastPath(d, outbox.FastPathOptions{Workers: 2, Queue: 3})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { f.Run(ctx) })
		w := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
		start := time.Now()
		for i := range 10 {
			_, err := w.Write(t.Context(), put(fmt.Sprint("k", i), "x"))
			require.NoError(t, err)
			synctest.Wait()
		}
		require.Zero(t, time.Since(start), "no write waited, in fake time")
		require.Equal(t, 5, dropped, "2 workers and 3 places in the queue are taken")
		cancel()
		wg.Wait()
	})
}

func TestFastPathDrainsAgainWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		read, goOn := make(chan struct{}), make(chan struct{})
		var once sync.Once
		s := &outboxtest.FaultyStore{Storage: mem, After: func(_ context.Context, op, _ string) error {
			if op == "pending" {
				once.Do(func() { close(read); <-goOn })
			}
			return nil
		}}
		f := outbox.NewFastPath(outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { f.Run(ctx) })
		w := outbox.NewWriter(mem, outbox.WriterOptions{Committed: f.Notify})
		_, err := w.Write(t.Context(), put("k", "1"))
		require.NoError(t, err)
		<-read // the drain has read event 1 only
		_, err = w.Write(t.Context(), put("k", "2"))
		require.NoError(t, err)
		close(goOn)
		synctest.Wait()
		require.NoError(t, outboxtest.CheckDelivered(mem, p))
		cancel()
		wg.Wait()
	})
}
