package minihost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// worker owns the handler process: it starts it, waits until it answers,
// judges its exits and starts it again. The state machine is in the package
// doc.
type worker struct {
	config hostConfig
	env    settings
	log    *slog.Logger
	lines  *lines
	port   int
	pool   *pool

	mu     sync.Mutex
	pid    int
	kill   func()        // SIGKILL for the current process
	pardon bool          // the coming exit is the host's own doing
	ready  chan struct{} // closed while the handler answers
}

// Limits of the restart rule.
const (
	maxCrashes  = 3
	crashMemory = 30 * time.Minute
	probeEvery  = 25 * time.Millisecond
)

func newWorker(c hostConfig, env settings, log *slog.Logger, out io.Writer) (*worker, error) {
	port := c.handler.port
	if port == 0 {
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a port for the handler: %w", err)
		}
		port = ln.Addr().(*net.TCPAddr).Port
		_ = ln.Close()
	}
	return &worker{
		config: c, env: env, log: log, port: port,
		lines: &lines{log: log, raw: out, stderrOnly: c.handler.stderrOnly},
		pool:  &pool{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))},
		ready: make(chan struct{}),
	}, nil
}

// run keeps the handler alive until ctx ends (nil), it crashed too often
// (ErrHandlerCrashed) or cannot be started (ErrHandlerStart).
func (w *worker) run(ctx context.Context) error {
	crashes := 0
	var lastCrash time.Time
	for {
		started := time.Now()
		reason, err := w.once(ctx)
		if err != nil || ctx.Err() != nil {
			return err
		}
		if reason == "" { // forgiven
			continue
		}
		if !lastCrash.IsZero() && time.Since(lastCrash) > crashMemory {
			crashes = 0
		}
		crashes, lastCrash = crashes+1, time.Now()
		tail := w.lines.take()
		w.log.Error("the handler is gone", "reason", reason, "crash", crashes, "of", maxCrashes, "after", time.Since(started).Round(time.Millisecond), "stderr", tail)
		if crashes == maxCrashes {
			if tail != "" {
				tail = "; its last words: " + tail
			}
			return fmt.Errorf("%w (%s%s)", ErrHandlerCrashed, reason, tail)
		}
	}
}

// once runs one process from start to exit and returns why it counts as a
// crash; empty if it does not.
func (w *worker) once(ctx context.Context) (reason string, err error) {
	exited := make(chan error, 1)
	if err := w.start(exited); err != nil {
		return "", err
	}
	timedOut := make(chan struct{})
	stopProbing := w.startProbe(ctx, timedOut)
	defer stopProbing()

	var exit error
	select {
	case exit = <-exited:
	case <-timedOut:
		w.killNow()
		<-exited
		stopProbing()
		w.gone()
		return fmt.Sprintf("nothing answered on port %d within initializationTimeout %s; listen on 127.0.0.1:$FUNCTIONS_CUSTOMHANDLER_PORT", w.port, w.config.handler.init), nil
	case <-ctx.Done():
		w.killNow()
		<-exited
		stopProbing()
		w.gone()
		return "", nil
	}
	if exit == nil {
		return w.exitedZero(ctx, timedOut)
	}
	stopProbing()
	pardoned := w.gone()
	var status *exec.ExitError
	switch {
	case pardoned:
		return "", nil
	case errors.As(exit, &status) && status.ExitCode() == 200:
		w.log.Info("the handler exited with status 200 and is started again")
		return "", nil
	}
	return exit.Error(), nil
}

// exitedZero: the real host neither restarts nor notices, and calls fail until
// somebody restarts it. Only a handler that was never ready runs into
// initializationTimeout, which counts.
func (w *worker) exitedZero(ctx context.Context, timedOut <-chan struct{}) (string, error) {
	w.log.Error("the handler exited with status 0: the host does not start it again and every call fails from now on; a handler must not exit")
	w.mu.Lock()
	w.pid, w.kill = 0, nil
	w.mu.Unlock()
	w.pool.flush()
	select {
	case <-timedOut:
		return "the handler exited with status 0 before it was ready", nil
	case <-ctx.Done():
		return "", nil
	}
}

// start starts the process; its exit arrives on the channel.
func (w *worker) start(exited chan<- error) error {
	h := w.config.handler
	// No context: the process is stopped by kill alone, as in Azure.
	cmd := exec.Command(h.path, h.arguments...) //nolint:gosec // the app names its own handler
	cmd.Dir = h.dir
	id := uuid.NewString()
	cmd.Env = w.env.environ(map[string]string{
		"FUNCTIONS_CUSTOMHANDLER_PORT":      strconv.Itoa(w.port),
		"FUNCTIONS_HTTPWORKER_PORT":         strconv.Itoa(w.port),
		"FUNCTIONS_CUSTOMHANDLER_WORKER_ID": id,
		"FUNCTIONS_HTTPWORKER_ID":           id,
		"FUNCTIONS_APP_ROOT_PATH":           w.config.root,
	})
	bind(cmd)
	stdout, outWriter := io.Pipe()
	stderr, errWriter := io.Pipe()
	cmd.Stdout, cmd.Stderr = outWriter, errWriter
	// A grandchild may hold the pipes open; the exit must not wait for it.
	cmd.WaitDelay = 100 * time.Millisecond
	started := make(chan error)
	go func() {
		// The death signal is tied to the thread that starts the process: keep
		// that thread until the process is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		_ = outWriter.Close()
		_ = errWriter.Close()
		if errors.Is(err, exec.ErrWaitDelay) {
			err = nil
		}
		exited <- err
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("%w: %s: %w; check that it is built for %s/%s and has the execute bit", ErrHandlerStart, h.path, err, runtime.GOOS, runtime.GOARCH)
	}
	go w.lines.copy(stdout, false)
	go w.lines.copy(stderr, true)
	w.mu.Lock()
	w.pid, w.kill = cmd.Process.Pid, func() { _ = cmd.Process.Kill() }
	w.mu.Unlock()
	w.log.Debug("handler started", "pid", cmd.Process.Pid, "port", w.port)
	return nil
}

// startProbe starts the readiness loop and returns what ends it.
func (w *worker) startProbe(ctx context.Context, timedOut chan<- struct{}) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.probe(ctx, timedOut)
	}()
	return func() { cancel(); <-done }
}

// probe asks GET / every 25 ms; any answer at all means ready.
func (w *worker) probe(ctx context.Context, timedOut chan<- struct{}) {
	limit, cancel := context.WithTimeout(ctx, w.config.handler.init)
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
func (w *worker) answers(ctx context.Context) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp4", w.pool.addr)
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

func (w *worker) open() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.ready:
	default:
		close(w.ready)
	}
}

// gone notes that the process has ended and reports whether that was wanted.
func (w *worker) gone() (pardoned bool) {
	w.mu.Lock()
	pardoned, w.pardon = w.pardon, false
	w.pid, w.kill = 0, nil
	select {
	case <-w.ready:
		w.ready = make(chan struct{})
	default:
	}
	w.mu.Unlock()
	w.pool.flush()
	return pardoned
}

func (w *worker) killNow() {
	w.mu.Lock()
	kill := w.kill
	w.mu.Unlock()
	if kill != nil {
		kill()
	}
}

// restart is the host's remedy for a function time-out: it kills the process
// that served the call, with all other calls in it, and does not count that.
func (w *worker) restart(pid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kill != nil && w.pid == pid {
		w.pardon = true
		w.kill()
	}
}

func (w *worker) handlerPID() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pid
}

// wait blocks until the handler answers. It gives up after four times
// initializationTimeout.
func (w *worker) wait(ctx context.Context) error {
	w.mu.Lock()
	ready := w.ready
	w.mu.Unlock()
	select {
	case <-ready:
		return nil
	default:
	}
	limit := time.NewTimer((maxCrashes + 1) * w.config.handler.init)
	defer limit.Stop()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-limit.C:
		return fmt.Errorf("%w: waited %s", ErrHandlerNotReady, (maxCrashes+1)*w.config.handler.init)
	}
}
