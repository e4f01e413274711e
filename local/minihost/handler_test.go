package minihost

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// The handler process of these tests is this test binary. In mode "relay" it
// passes every connection on to the test that started it, so that the test
// scripts the handler while the process is real and can be killed.
const (
	modeEnv    = "MINIHOST_TEST_MODE"
	controlEnv = "MINIHOST_TEST_CONTROL"
	appEnv     = "MINIHOST_TEST_APP"
	// exitCommand as a prefix of an answer ends the relay with a status.
	exitCommand = "\x00EXIT"
	// cutCommand in front of an answer closes the connection after it.
	cutCommand = "\x00CUT"
)

func TestMain(m *testing.M) {
	switch os.Getenv(modeEnv) {
	case "":
		os.Exit(m.Run())
	case "relay":
		relay()
	case "mute": // never listens
		select {}
	case "words":
		fmt.Println("hello from stdout")
		fmt.Fprintln(os.Stderr, "WARNing: careful")
		fmt.Fprintln(os.Stderr, "it broke")
		os.Exit(3)
	case "quit":
		os.Exit(0)
	case "host":
		runHostProcess()
	}
}

func relay() {
	ln, err := net.Listen("tcp4", "127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			os.Exit(1)
		}
		go relayConn(c)
	}
}

func relayConn(c net.Conn) {
	up, err := net.Dial("tcp4", os.Getenv(controlEnv))
	if err != nil {
		os.Exit(1)
	}
	go func() {
		_, _ = io.Copy(up, c)
		_ = up.(*net.TCPConn).CloseWrite()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := up.Read(buf)
		if code, ok := strings.CutPrefix(string(buf[:n]), exitCommand); ok {
			status, _ := strconv.Atoi(code)
			os.Exit(status)
		}
		_, _ = c.Write(buf[:n])
		if err != nil {
			_ = c.Close()
			return
		}
	}
}

// seen is one request as the handler got it.
type seen struct {
	line   string
	fields wire.Fields
	body   []byte
}

// scripted plays the handler; answer gives the bytes of each answer, "" to
// close the connection. Readiness probes are answered and not shown.
type scripted struct {
	ln net.Listener

	mu     sync.Mutex
	answer func(seen) string
	all    []seen
	calls  chan seen // every call, for tests that wait for one
}

func newScripted(t *testing.T, answer func(seen) string) *scripted {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	s := &scripted{ln: ln, answer: answer, calls: make(chan seen, 4096)}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *scripted) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	for {
		var req seen
		var err error
		if req.line, req.fields, _, err = wire.ReadHead(r, nil, 1<<20); err != nil {
			return
		}
		if v, ok := req.fields.Get("Content-Length"); ok {
			n, _ := strconv.ParseInt(v, 10, 64)
			if req.body, err = wire.ReadBody(r, n); err != nil {
				return
			}
		}
		if strings.HasPrefix(req.line, "GET / ") {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			continue
		}
		s.mu.Lock()
		s.all = append(s.all, req)
		answer := s.answer
		s.mu.Unlock()
		s.calls <- req
		text := answer(req)
		if text == "" {
			return
		}
		text, cut := strings.CutPrefix(text, cutCommand)
		if _, err := io.WriteString(c, text); cut || err != nil {
			return
		}
	}
}

func (s *scripted) script(answer func(seen) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.all = answer, nil
}

func (s *scripted) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.all...)
}

// wait returns the next call that satisfies ok.
func (s *scripted) wait(t *testing.T, ok func(seen) bool) seen {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case req := <-s.calls:
			if ok(req) {
				return req
			}
		case <-limit:
			t.Fatal("the handler was not called")
		}
	}
}

func httpAnswer(status int, media, body string) string {
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Length: %d\r\n", status, http.StatusText(status), len(body))
	if media != "" {
		head += "Content-Type: " + media + "\r\n"
	}
	return head + "\r\n" + body
}

func ok(seen) string { return httpAnswer(200, "text/plain", "ok") }

func success(seen) string {
	return httpAnswer(200, "application/json", `{"Outputs":{},"Logs":["swept"],"ReturnValue":null}`)
}

// folder writes an app folder; the values are the files' texts.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

// hostJSON is a host.json whose handler is this binary.
func hostJSON(t *testing.T, custom, rest string) string {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	return fmt.Sprintf(`{"version":"2.0","functionTimeout":"00:01:00","extensionBundle":{"id":"b","version":"[4.*, 5.0.0)"},
		"customHandler":{"description":{"defaultExecutablePath":%q}%s}%s}`, exe, custom, rest)
}

const (
	forwardOn = `,"enableForwardingHttpRequest":true`
	writeJSON = `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous","methods":["put","patch","delete","post"],"route":"profiles/{id}"},{"type":"http","direction":"out","name":"res"}]}`
	readJSON  = `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous","methods":["get","head"],"route":"profiles/{id}"},{"type":"http","direction":"out","name":"res"}]}`
	sweepJSON = `{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"%DISPATCH_SCHEDULE%","useMonitor":true}]}`
)

// started is a host that runs for a test.
type started struct {
	*Host
	addr    string
	handler *scripted
	done    chan error // Run's result
	stop    context.CancelFunc
	log     *logBuffer
}

// start runs an app whose handler is scripted. change may alter the options.
func start(t *testing.T, files map[string]string, answer func(seen) string, change ...func(*Options)) *started {
	t.Helper()
	s := &started{handler: newScripted(t, answer), done: make(chan error, 1), log: &logBuffer{}}
	o := Options{
		App: folder(t, files), Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		StopTimeout: 5 * time.Second,
		// The race detector's second of sleep at exit would look like life.
		Settings: map[string]string{"GORACE": "atexit_sleep_ms=0", modeEnv: "relay", controlEnv: s.handler.ln.Addr().String(), "DISPATCH_SCHEDULE": "0 0 0 1 1 *"},
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	s.Host, err = Load(o)
	require.NoError(t, err)
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	s.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.done <- s.Run(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		<-s.done
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	return s
}

// result is Run's result; it may be asked for once.
func (s *started) result(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.done:
		s.done <- nil
		return err
	case <-time.After(time.Minute):
		t.Fatal("Run did not end\n" + s.log.String())
		return nil
	}
}

// get sends a request and returns status and body.
func (s *started) get(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+s.addr+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	res, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(text)
}

type logBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
