package worker

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

const probeEvery = 25 * time.Millisecond

// startProbe starts the readiness loop and returns what ends it.
func (w *Worker) startProbe(ctx context.Context, timedOut chan<- struct{}) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.probe(ctx, timedOut)
	}()
	return func() { cancel(); <-done }
}

// probe asks GET / every 25 ms; any answer at all means ready.
func (w *Worker) probe(ctx context.Context, timedOut chan<- struct{}) {
	limit, cancel := context.WithTimeout(ctx, w.config.Init)
	defer cancel()
	for {
		if w.answers(limit) {
			w.open()
			return
		}
		select {
		case <-time.After(probeEvery):
		case <-limit.Done():
			if ctx.Err() == nil {
				close(timedOut)
			}
			return
		}
	}
}

// answers: connection refused means not yet; whatever else happens on a
// connection means that somebody listens.
func (w *Worker) answers(ctx context.Context) bool {
	conn, err := w.pool.dial(ctx, w.pool.addr)
	if err != nil {
		return false
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c := newHandlerConn(conn)
	reuse := false
	if _, err = fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", w.pool.addr); err == nil {
		_, reuse, c.head, err = wire.ReadAnswer(c.r, c.head, http.MethodGet)
	}
	if err == nil && reuse && stop() {
		w.pool.put(c)
	} else {
		_ = c.Close()
	}
	return err == nil || ctx.Err() == nil
}

func (w *Worker) open() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.ready:
	default:
		close(w.ready)
		w.works = true
	}
}

// Wait blocks until the handler answers. It gives up after four times
// initializationTimeout.
func (w *Worker) Wait(ctx context.Context) error {
	w.mu.Lock()
	ready := w.ready
	w.mu.Unlock()
	select {
	case <-ready:
		return nil
	default:
	}
	limit := time.NewTimer((maxCrashes + 1) * w.config.Init)
	defer limit.Stop()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-limit.C:
		return fmt.Errorf("%w: waited %s", ErrNotReady, (maxCrashes+1)*w.config.Init)
	}
}
