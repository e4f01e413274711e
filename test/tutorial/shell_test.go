package tutorial_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clone is a copy of what is tracked in this repository, with addresses of its own in
// place of those that the page names, so that it runs beside other stacks.
type clone struct {
	t         *testing.T
	dir       string
	addresses *strings.Replacer
}

func newClone(t *testing.T, source string) *clone {
	t.Helper()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program, "is not there")
		}
	}
	c := &clone{t: t, dir: t.TempDir()}
	for _, name := range tracked(t, source) {
		text, err := os.ReadFile(filepath.Join(source, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		require.NoError(t, err)
		c.write(name, string(text))
	}
	ports := freePorts(t, 2)
	c.addresses = strings.NewReplacer(
		"relaybox up", "relaybox up --host-addr 127.0.0.1:"+ports[0]+" --cosmos-addr 127.0.0.1:"+ports[1]+" --bus-addr 127.0.0.1:0 --bus-admin-addr off",
		"localhost:7071", "127.0.0.1:"+ports[0], "localhost:8081", "127.0.0.1:"+ports[1],
	)
	return c
}

// tracked are the repository's files, by git if it is one.
func tracked(t *testing.T, source string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "-co", "--exclude-standard")
	cmd.Dir = source
	if out, err := cmd.Output(); err == nil {
		return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	}
	var files []string
	require.NoError(t, filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "dist", ".relaybox"}, d.Name()):
			return fs.SkipDir
		case d.Type().IsRegular():
			name, err := filepath.Rel(source, path)
			files = append(files, name)
			return err
		}
		return nil
	}))
	return files
}

func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { require.NoError(t, l.Close()) }() // all at once: they must differ
		_, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(t, err)
		ports = append(ports, port)
	}
	return ports
}

func (c *clone) write(name, text string) {
	c.t.Helper()
	file := filepath.Join(c.dir, name)
	require.NoError(c.t, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(c.t, os.WriteFile(file, []byte(text), 0o600))
}

func (c *clone) read(name string) string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, name))
	require.NoError(c.t, err)
	return string(text)
}

// patience bounds one block; a first build is part of some.
const patience = 8 * time.Minute

// bash is a shell in the clone. Paths are left out of what is built, so that the build
// cache serves copies in any folder. That has everything compiled once more, so C is left out: it
// would be half of the time.
func (c *clone) bash(ctx context.Context, script string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", append([]string{"-euo", "pipefail", "-c", c.addresses.Replace(script), "bash"}, args...)...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath", "GOWORK=off", "CGO_ENABLED=0")
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run runs a script to its end.
func (c *clone) run(script string) (stdout, all string, err error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	cmd := c.bash(ctx, script)
	var out bytes.Buffer
	var both output
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, &both), &both
	err = cmd.Run()
	return out.String(), both.String(), err
}

// job is a script that runs in the background. Its process group ends with its input, so
// it cannot outlive the test, however that ends.
type job struct {
	t     *testing.T
	input io.Closer
	done  chan struct{}
	out   output
	once  sync.Once
}

// background is the script around a script: bash gives a background command a process
// group of its own under -m.
const background = `set -m
bash -euo pipefail -c "$1" </dev/null &
read -r _ || true
kill -INT -- "-$!" || true
wait || true`

func (c *clone) start(script string) *job {
	c.t.Helper()
	cmd := c.bash(context.WithoutCancel(c.t.Context()), background, c.addresses.Replace(script))
	j := &job{t: c.t, done: make(chan struct{})}
	input, err := cmd.StdinPipe()
	require.NoError(c.t, err)
	j.input = input
	cmd.Stdout, cmd.Stderr = &j.out, &j.out
	require.NoError(c.t, cmd.Start())
	go func() {
		defer close(j.done)
		_ = cmd.Wait() // it was interrupted
	}()
	c.t.Cleanup(j.stop)
	return j
}

func (j *job) stop() {
	j.once.Do(func() { _ = j.input.Close() })
	<-j.done
}

// says waits until the job has printed a text.
func (j *job) says(text string) {
	j.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(j.out.String(), text); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			j.t.Fatalf("it never says %q, but:\n%s", text, j.out.String())
		}
	}
}

// output is what a script has printed so far, by either way. mu guards text.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
