package worker

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// start starts the process; its exit arrives on the channel.
func (w *Worker) start(exited chan<- error) error {
	h := w.config
	if h.Inner != nil {
		w.startInner(exited)
		return nil
	}
	// No context: the process is stopped by kill alone, as in Azure.
	cmd := exec.Command(h.Path, h.Arguments...) //nolint:gosec // the app names its own handler
	cmd.Dir = h.Dir
	cmd.Env = w.environ()
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
		return fmt.Errorf("%w: %s: %w; check that it is built for %s/%s and has the execute bit", ErrStart, h.Path, err, runtime.GOOS, runtime.GOARCH)
	}
	go w.lines.copy(stdout, false)
	go w.lines.copy(stderr, true)
	w.mu.Lock()
	w.pid, w.kill = cmd.Process.Pid, func() { _ = cmd.Process.Kill() }
	w.mu.Unlock()
	w.log.Debug("handler started", "pid", cmd.Process.Pid, "port", w.port)
	return nil
}

// environ is the environment of a handler that starts now.
func (w *Worker) environ() []string {
	id := uuid.NewString()
	return environ(w.env, map[string]string{
		"FUNCTIONS_CUSTOMHANDLER_PORT":      strconv.Itoa(w.port),
		"FUNCTIONS_HTTPWORKER_PORT":         strconv.Itoa(w.port),
		"FUNCTIONS_CUSTOMHANDLER_WORKER_ID": id,
		"FUNCTIONS_HTTPWORKER_ID":           id,
		"FUNCTIONS_APP_ROOT_PATH":           w.config.Root,
	})
}
