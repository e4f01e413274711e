// Package victim runs servers in processes of their own, for tests to kill: the test binary starts itself once more, as
// one of the servers that its TestMain names. What such a server has told nobody, and not written down, is lost with it.
package victim

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// In the environment of a server.
const (
	nameOf      = "VICTIM"
	argumentsOf = "VICTIM_ARGUMENTS"
)

// Server serves until it is killed. It writes a line with its address when it can be reached.
type Server func(arguments []string, ready io.Writer) error

// Main is for TestMain: it runs the tests, or is a server of theirs.
func Main(m *testing.M, servers map[string]Server) int {
	serve, ok := servers[os.Getenv(nameOf)]
	if !ok {
		return m.Run()
	}
	fmt.Fprintln(os.Stderr, serve(strings.Split(os.Getenv(argumentsOf), "\n"), os.Stdout))
	return 1
}

// Process is a server that runs.
type Process struct {
	At  string // the line that it has written
	cmd *exec.Cmd
}

// Start starts a server and waits until it can be reached.
func Start(name string, arguments ...string) (*Process, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^$") //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), nameOf+"="+name, argumentsOf+"="+strings.Join(arguments, "\n"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.Kill()
		return nil, fmt.Errorf("%s does not start: %w", name, err)
	}
	p.At = strings.TrimSpace(line)
	return p, nil
}

// Kill is kill -9, and waits until the process is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may be dead already
	_ = p.cmd.Wait()         // "signal: killed"
}
