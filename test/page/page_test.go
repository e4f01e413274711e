// Package page_test clicks through the page of relaybox up in a headless Chromium.
package page_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

// pageShots is where the screenshots are to be left; without it they go with the test.
const pageShots = "PAGE_SHOTS"

// TestPage: a person sees an outage come and go, and mends what it has left.
func TestPage(t *testing.T) {
	t.Parallel()
	node, chromium, modules := needs(t)
	shots := os.Getenv(pageShots)
	if shots == "" {
		shots = t.TempDir()
	}
	page, host := up(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "page.mjs") //nolint:gosec // the tester's own program
	cmd.Env = append(os.Environ(), "PAGE="+page, "HOST="+host, "CHROMIUM="+chromium, "NODE_MODULES="+modules, "SHOTS="+shots)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
	for _, name := range []string{"outage.png", "page.png", "dark.png", "phone.png"} {
		picture, err := os.ReadFile(filepath.Join(shots, name))
		require.NoError(t, err)
		require.Greater(t, len(picture), 10_000, name)
		require.Equal(t, "\x89PNG\r\n\x1a\n", string(picture[:8]), name)
	}
}

// needs finds what the test takes beside Go, or skips it.
func needs(t *testing.T) (node, chromium, modules string) {
	t.Helper()
	modules = os.Getenv("NODE_MODULES")
	if _, err := os.Stat(filepath.Join(modules, "playwright-core", "package.json")); modules == "" || err != nil {
		t.Skip("NODE_MODULES does not name a folder with playwright-core: npm install playwright-core")
	}
	var err error
	if node, err = exec.LookPath("node"); err != nil {
		t.Skip("no node")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if chromium, err = exec.LookPath(name); err == nil {
			return node, chromium, modules
		}
	}
	t.Skip("no Chromium: apt-get install chromium")
	return "", "", ""
}

var (
	pageLine = regexp.MustCompile(`^Look at it: (http://\S+)$`)
	hostLine = regexp.MustCompile(`curl -i (http://[^/]+)/`)
)

// up starts the real program on free ports, and returns the URLs of its page and its host.
func up(t *testing.T) (page, host string) {
	t.Helper()
	dir := t.TempDir()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	app, program := filepath.Join(dir, "app"), filepath.Join(dir, "relaybox")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	require.NoError(t, stack.Assemble(t.Context(), stack.Build{Source: source}, app))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/relaybox") //nolint:gosec // our own
	build.Dir = source
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)

	const free = "127.0.0.1:0"
	cmd := exec.Command(program, "up", "--app", app, "--data", filepath.Join(dir, "data"), "--host-addr", free, "--cosmos-addr", free, //nolint:gosec // our own
		"--bus-addr", free, "--bus-admin-addr", "off", "--page-addr", free)
	cmd.Dir = dir
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.NoError(t, cmd.Wait(), "Ctrl-C is how it ends")
		_ = in.Close() // it never fails
	})
	found := make(chan string, 2)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			for _, about := range []*regexp.Regexp{hostLine, pageLine} {
				if url := about.FindStringSubmatch(lines.Text()); url != nil {
					found <- url[1]
				}
			}
		}
		close(found)
	}()
	host, page = <-found, <-found
	require.NotEmpty(t, page, "up says where its page is")
	return page, host
}
