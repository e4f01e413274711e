package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// Config is what host.json says of the handler.
type Config struct {
	Root       string // the app folder
	Path       string // the executable
	Arguments  []string
	Dir        string
	Init       time.Duration // initializationTimeout
	Port       int           // 0: any
	StderrOnly bool          // every stderr line is an error
	Inner      *Inner        // in place of the executable; nil: none
}

// Worker owns the handler process: it starts it, waits until it answers,
// judges its exits and starts it again. The state machine is in the package
// doc of minihost.
type Worker struct {
	config Config
	env    map[string]string
	log    *slog.Logger
	lines  *lines
	port   int
	pool   *pool

	mu     sync.Mutex
	pid    int           // an Inner's is the number of its start
	starts int           // of an Inner
	kill   func()        // SIGKILL for the current process
	pardon bool          // the coming exit is the host's own doing
	ready  chan struct{} // closed while the handler answers
	works  bool          // the handler has answered once, or a signal kept it from that
}

// Limits of the restart rule.
const (
	maxCrashes  = 3
	crashMemory = 30 * time.Minute
)

// New prepares a worker; nothing runs yet. env is the handler's environment,
// and out, if not nil, takes its output instead of log.
func New(c Config, env map[string]string, log *slog.Logger, out io.Writer) (*Worker, error) {
	port, dial := c.Port, dialTCP
	if c.Inner != nil {
		port, dial = cmp.Or(port, 1), func(ctx context.Context, _ string) (net.Conn, error) { return c.Inner.Dial(ctx) }
	}
	if port == 0 {
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a port for the handler: %w", err)
		}
		port = ln.Addr().(*net.TCPAddr).Port
		_ = ln.Close()
	}
	return &Worker{
		config: c, env: env, log: log, port: port,
		lines: &lines{log: log, raw: out, stderrOnly: c.StderrOnly},
		pool:  &pool{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), dial: dial},
		ready: make(chan struct{}),
	}, nil
}

// Run keeps the handler alive until ctx ends (nil), it crashed too often
// (ErrCrashed) or cannot be started (ErrStart).
func (w *Worker) Run(ctx context.Context) error {
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
			if !w.hasWorked() {
				return fmt.Errorf("%w, and %w (%s%s)", ErrCrashed, ErrNeverReady, reason, tail)
			}
			return fmt.Errorf("%w (%s%s)", ErrCrashed, reason, tail)
		}
	}
}

// once runs one process from start to exit and returns why it counts as a
// crash; empty if it does not.
func (w *Worker) once(ctx context.Context) (reason string, err error) {
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
		return fmt.Sprintf("nothing answered on port %d within initializationTimeout %s; listen on 127.0.0.1:$FUNCTIONS_CUSTOMHANDLER_PORT", w.port, w.config.Init), nil
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
	case errors.As(exit, &status) && status.ExitCode() < 0: // a signal: it may have been about to answer
		w.mu.Lock()
		w.works = true
		w.mu.Unlock()
	}
	return exit.Error(), nil
}

// exitedZero: the real host neither restarts nor notices, and calls fail until
// somebody restarts it. Only a handler that was never ready runs into
// initializationTimeout, which counts.
func (w *Worker) exitedZero(ctx context.Context, timedOut <-chan struct{}) (string, error) {
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

func (w *Worker) hasWorked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.works
}

// gone notes that the process has ended and reports whether that was wanted.
func (w *Worker) gone() (pardoned bool) {
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

func (w *Worker) killNow() {
	w.mu.Lock()
	kill := w.kill
	w.mu.Unlock()
	if kill != nil {
		kill()
	}
}

// Restart is the host's remedy for a function time-out: it kills the process
// that served the call, with all other calls in it, and does not count that.
func (w *Worker) Restart(pid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kill != nil && w.pid == pid {
		w.pardon = true
		w.kill()
	}
}

// PID is the process id of the handler, 0 while none runs.
func (w *Worker) PID() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pid
}

// Addr is where the handler listens.
func (w *Worker) Addr() string { return w.pool.addr }

// Send delivers one request, given as bytes, and reads the answer. It does not
// wait for a handler that is not ready.
func (w *Worker) Send(method string, head, body []byte, timeout time.Duration) (wire.Answer, error) {
	return w.pool.send(method, head, body, timeout)
}
