package minihost

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// runHostProcess is a host of its own, which prints the handler's pid.
func runHostProcess() {
	h, err := Load(Options{App: os.Getenv(appEnv), Settings: map[string]string{modeEnv: "relay"}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		panic(err)
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for h.HandlerPID() == 0 {
			time.Sleep(time.Millisecond)
		}
		fmt.Println(h.HandlerPID())
	}()
	_ = h.Run(context.Background(), ln)
}

// A host that is killed takes its handler with it.
func TestKilledHostLeavesNoOrphan(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	require.NoError(t, err)
	host := exec.Command(exe)
	host.Env = append(os.Environ(), modeEnv+"=host", controlEnv+"=127.0.0.1:1", appEnv+"="+folder(t, webApp(t, "", "")))
	out, err := host.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, host.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	require.NoError(t, host.Process.Kill())
	_ = host.Wait()
	require.Eventually(t, func() bool { return gone(pid) }, time.Minute, 5*time.Millisecond)
}

// gone: no such process, or one that nobody has reaped yet.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}
