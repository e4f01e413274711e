package worker

import (
	"context"
	"net"
)

// Inner takes the place of the executable: a handler in this process, on connections that
// need no socket, so that a test can own its time and its network.
type Inner struct {
	// Run is the handler's life. It ends with ctx, which is its SIGKILL; if it ends earlier,
	// nil is exit status 0 and an error a crash. env is what a process would find in its
	// environment.
	Run func(ctx context.Context, env []string) error
	// Dial connects to the handler; an error means that nobody listens yet.
	Dial func(ctx context.Context) (net.Conn, error)
}

// startInner starts the handler in this process; its exit arrives on the channel.
func (w *Worker) startInner(exited chan<- error) {
	ctx, kill := context.WithCancel(context.Background())
	w.mu.Lock()
	w.starts++
	w.pid, w.kill = w.starts, kill
	w.mu.Unlock()
	go func() {
		defer kill()
		err := w.config.Inner.Run(ctx, w.environ())
		if err == nil {
			err = ctx.Err() // killed, which is no exit with status 0
		}
		exited <- err
	}()
}
