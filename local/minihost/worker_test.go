package minihost

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// crashes end a run, when the last comes within 30 minutes of the one before.
const crashes = 3

func webApp(t *testing.T, custom, rest string) map[string]string {
	return map[string]string{"host.json": hostJSON(t, forwardOn+custom, rest), "WriteProfile/function.json": writeJSON, "ReadProfile/function.json": readJSON}
}

// kill ends the handler and waits until the host has noticed.
func (s *started) kill(t *testing.T) int {
	t.Helper()
	var pid int
	require.Eventually(t, func() bool { pid = s.HandlerPID(); return pid != 0 }, time.Minute, time.Millisecond)
	process, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, process.Signal(syscall.SIGKILL))
	require.Eventually(t, func() bool { return s.HandlerPID() != pid }, time.Minute, time.Millisecond)
	return pid
}

func TestThirdCrashEndsTheHost(t *testing.T) {
	t.Parallel()
	s := start(t, webApp(t, "", ""), ok)
	pids, addresses := map[int]bool{}, map[string]bool{}
	for range crashes {
		status, body := s.get(t, "PUT", "/api/profiles/p-1", "{}")
		require.Equal(t, 200, status, "calls wait for the restarted handler")
		require.Equal(t, "ok", body)
		addresses[s.current.Load().worker.Addr()] = true
		pids[s.kill(t)] = true
	}
	require.Len(t, pids, crashes)
	require.Len(t, addresses, 1, "a restarted handler gets the same port")
	err := s.result(t)
	require.ErrorIs(t, err, ErrHandlerCrashed)
	require.ErrorContains(t, err, "signal: killed")
	require.NotErrorIs(t, err, ErrHandlerNeverReady, "it would do its work again")
	require.Zero(t, s.HandlerPID())
}

func TestExit200IsNotCounted(t *testing.T) {
	t.Parallel()
	s := start(t, webApp(t, "", ""), ok)
	for range crashes + 1 {
		s.handler.script(func(seen) string { return exitCommand + "200" })
		status, _ := s.get(t, "PUT", "/api/profiles/p-1", "{}")
		require.Equal(t, 500, status, "the call in the dying handler fails")
		s.handler.script(ok)
		require.Eventually(t, func() bool {
			status, _ := s.get(t, "PUT", "/api/profiles/p-1", "{}")
			return status == 200
		}, time.Minute, time.Millisecond)
	}
	require.Empty(t, s.done)
}

func TestExit0IsForGood(t *testing.T) {
	t.Parallel()
	s := start(t, webApp(t, "", ""), ok)
	status, _ := s.get(t, "PUT", "/api/profiles/p-1", "{}")
	require.Equal(t, 200, status)
	s.handler.script(func(seen) string { return exitCommand + "0" })
	for range 3 {
		status, _ := s.get(t, "PUT", "/api/profiles/p-1", "{}")
		require.Equal(t, 500, status)
	}
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "a handler must not exit") }, time.Minute, time.Millisecond)
	require.Empty(t, s.done, "the host goes on")
}

func TestHandlerThatNeverListens(t *testing.T) {
	t.Parallel()
	for mode, words := range map[string]string{"mute": "nothing answered on port", "quit": "exited with status 0 before it was ready"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, webApp(t, `,"initializationTimeout":"00:00:00.5"`, ""), ok, func(o *Options) { o.Settings[modeEnv] = mode })
			err := s.result(t)
			require.ErrorIs(t, err, ErrHandlerCrashed)
			require.ErrorIs(t, err, ErrHandlerNeverReady)
			require.ErrorContains(t, err, words)
		})
	}
}

func TestHandlerOutput(t *testing.T) {
	t.Parallel()
	s := start(t, webApp(t, "", ""), ok, func(o *Options) { o.Settings[modeEnv] = "words" })
	err := s.result(t)
	require.ErrorIs(t, err, ErrHandlerCrashed)
	require.ErrorContains(t, err, "exit status 3")
	log := s.log.String()
	require.Contains(t, log, `level=INFO msg="hello from stdout" category=Host.Function.Console`)
	require.Contains(t, log, `level=WARN msg="WARNing: careful"`)
	require.Contains(t, log, `level=ERROR msg="it broke"`)

	raw := &logBuffer{}
	s = start(t, webApp(t, "", ""), ok, func(o *Options) { o.Settings[modeEnv], o.HandlerOutput = "words", raw })
	require.ErrorIs(t, s.result(t), ErrHandlerCrashed)
	require.Contains(t, raw.String(), "hello from stdout\n")
	require.NotContains(t, s.log.String(), "hello")
}

func TestHandlerThatCannotStart(t *testing.T) {
	t.Parallel()
	files := webApp(t, "", "")
	files["host.json"] = `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"}}}`
	files["handler"] = "no program at all"
	dir := folder(t, files)
	path := filepath.Join(dir, "handler")
	require.NoError(t, os.Chmod(path, 0o755))
	s := start(t, files, ok, func(o *Options) { o.App = dir })
	err := s.result(t)
	require.ErrorIs(t, err, ErrHandlerStart)
	require.ErrorContains(t, err, path)
}

func TestFunctionTimeoutRestartsTheHandler(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	files := webApp(t, "", "")
	files["host.json"] = strings.Replace(files["host.json"], "00:01:00", "00:00:01", 1)
	s := start(t, files, ok)
	status, _ := s.get(t, "PUT", "/api/profiles/p-1", "{}")
	require.Equal(t, 200, status)
	for range crashes {
		pid := s.HandlerPID()
		s.handler.script(func(seen) string { <-release; return "" })
		status, _ = s.get(t, "PUT", "/api/profiles/p-1", "{}")
		require.Equal(t, 500, status)
		s.handler.script(ok)
		require.Eventually(t, func() bool { now := s.HandlerPID(); return now != 0 && now != pid }, time.Minute, time.Millisecond)
	}
	close(release)
	status, _ = s.get(t, "PUT", "/api/profiles/p-1", "{}")
	require.Equal(t, 200, status, "time-outs are not counted as crashes")
	require.Contains(t, s.log.String(), "functionTimeout")
}

// A stopping host lets running calls finish.
func TestStopLetsCallsFinish(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := start(t, webApp(t, "", ""), func(seen) string { <-release; return ok(seen{}) })
	answered := make(chan int, 1)
	go func() {
		status, _ := s.get(t, "PUT", "/api/profiles/p-1", "{}")
		answered <- status
	}()
	s.handler.wait(t, func(seen) bool { return true })
	s.stop()
	close(release)
	require.Equal(t, 200, <-answered)
	require.NoError(t, s.result(t))
}

// A Host can be run again, as the platform does after a crash.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	s := start(t, webApp(t, "", ""), ok)
	for range crashes {
		s.kill(t)
	}
	require.ErrorIs(t, s.result(t), ErrHandlerCrashed)
	<-s.done

	ln, err := net.Listen("tcp4", s.addr)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { s.done <- s.Run(ctx, ln) }()
	status, _ := s.get(t, "GET", "/api/profiles/p-1", "")
	require.Equal(t, 200, status)
	cancel()
	require.NoError(t, s.result(t))
}
