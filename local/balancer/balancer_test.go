package balancer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/netsim"
)

// world is a proxy with instances, over connections in memory and in fake time.
type world struct {
	t     *testing.T
	proxy *Proxy
	front *http.Client

	mu    sync.Mutex // guards what follows
	pipes map[string]*netsim.Pipe
	got   []string // who got a request that is not for its health
	sick  map[string]http.HandlerFunc
}

// in runs a test in a bubble.
func in(t *testing.T, o Options, test func(w *world)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, pipes: map[string]*netsim.Pipe{}, sick: map[string]http.HandlerFunc{}}
		o.Dial = w.dial
		w.proxy = New(o)
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { w.proxy.Run(ctx) })
		door := netsim.NewPipe()
		server := &http.Server{Handler: w.proxy, ErrorLog: quiet}
		work.Go(func() { _ = server.Serve(door) })
		transport := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return door.Dial(ctx) }}
		w.front = &http.Client{Transport: transport}
		defer func() { // also when the test fails
			cancel()
			transport.CloseIdleConnections()
			_ = server.Close()
			work.Wait()
			time.Sleep(time.Second) // a server that refuses a body closes its connection late
		}()
		test(w)
	})
}

func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	name, _, _ := strings.Cut(addr, ":")
	w.mu.Lock()
	pipe := w.pipes[name]
	w.mu.Unlock()
	if pipe == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("%s refuses", name)}
	}
	return pipe.Dial(ctx)
}

// instance starts a server behind the proxy. It is well; handler gets the other requests.
func (w *world) instance(name string, handler http.HandlerFunc) *http.Server {
	w.listen(name)
	server := w.serve(name, handler)
	require.NoError(w.t, w.proxy.Add(name, "http://"+name))
	return server
}

func (w *world) listen(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pipes[name] = netsim.NewPipe()
}

func (w *world) serve(name string, handler http.HandlerFunc) *http.Server {
	server := &http.Server{ErrorLog: quiet, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		sick := w.sick[name]
		asked := r.URL.Path == "/api/health/live"
		if !asked {
			w.got = append(w.got, name)
		}
		w.mu.Unlock()
		if asked && sick != nil {
			sick(rw, r)
		}
		if asked {
			return
		}
		if handler != nil {
			handler(rw, r)
		}
	})}
	w.mu.Lock()
	pipe := w.pipes[name]
	w.mu.Unlock()
	go func() { _ = server.Serve(pipe) }()
	w.t.Cleanup(func() { _ = server.Close() })
	return server
}

// falls makes an instance answer what asks for its health so; nil is well.
func (w *world) falls(name string, sick http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sick[name] = sick
}

// refuse makes an instance's address refuse connections; those that are open end.
func (w *world) refuse(name string, server *http.Server) {
	w.mu.Lock()
	w.pipes[name] = nil
	w.mu.Unlock()
	_ = server.Close()
}

// looks lets the proxy look after everybody.
func (w *world) looks() {
	time.Sleep(5 * time.Second)
	synctest.Wait()
}

func (w *world) send(method, body string, header ...string) *http.Response {
	req, err := http.NewRequestWithContext(w.t.Context(), method, "http://front/api/x?y=z", strings.NewReader(body))
	require.NoError(w.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := w.front.Do(req)
	require.NoError(w.t, err)
	return resp
}

// status sends a request and reads its answer.
func (w *world) status(method, body string, header ...string) int {
	resp := w.send(method, body, header...)
	_, err := io.Copy(io.Discard, resp.Body)
	require.NoError(w.t, err)
	require.NoError(w.t, resp.Body.Close())
	return resp.StatusCode
}

func (w *world) who() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := strings.Join(w.got, "")
	w.got = nil
	return all
}

func TestInstancesGetRequestsInTurn(t *testing.T) {
	in(t, Options{}, func(w *world) {
		require.Equal(t, 503, w.status("GET", ""), "nobody is there")
		for _, name := range []string{"a", "b", "c"} {
			w.instance(name, nil)
		}
		require.Equal(t, 503, w.status("GET", ""), "nobody has been asked for its health")
		w.looks()
		for range 7 {
			require.Equal(t, 200, w.status("PUT", "{}"))
		}
		require.Equal(t, "abcabca", w.who())
		require.NoError(t, w.proxy.Remove(w.t.Context(), "a"))
		for range 4 {
			w.status("GET", "")
		}
		require.Equal(t, "bcbc", w.who(), "the turn stays whose it was")
		require.ErrorIs(t, w.proxy.Remove(w.t.Context(), "a"), ErrUnknown)
		counts, moved := w.proxy.Counts()
		require.Zero(t, moved)
		require.Equal(t, []Count{{Name: "a", Requests: 3}, {Name: "b", Requests: 4, Up: true}, {Name: "c", Requests: 4, Up: true}}, counts)
	})
}

func TestAnInstanceThatIsNotWellGetsNothing(t *testing.T) {
	for name, sick := range map[string]http.HandlerFunc{
		"it says so":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"it does not speak": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Options{}, func(w *world) {
				w.instance("a", nil)
				w.instance("b", nil)
				for _, step := range []struct {
					sick http.HandlerFunc
					want int
				}{{nil, 2}, {sick, 0}, {nil, 2}} {
					w.falls("a", step.sick)
					w.looks()
					for range 4 {
						require.Equal(t, 200, w.status("GET", ""))
					}
					require.Equal(t, step.want, strings.Count(w.who(), "a"))
				}
			})
		})
	}
}

func TestWhatWasNotSentGoesToTheNext(t *testing.T) {
	in(t, Options{}, func(w *world) {
		a := w.instance("a", nil)
		var body string
		w.instance("b", func(_ http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			body = string(text)
		})
		w.looks()
		w.refuse("a", a)
		synctest.Wait()
		require.Equal(t, 200, w.status("PUT", `{"n":1}`))
		require.Equal(t, `{"n":1}`, body)
		require.Equal(t, 200, w.status("PUT", `{"n":2}`), "a is not asked again")
		require.Equal(t, "bb", w.who())
		counts, moved := w.proxy.Counts()
		require.Equal(t, 1, moved)
		require.Equal(t, []Count{{Name: "a"}, {Name: "b", Requests: 2, Up: true}}, counts)

		w.listen("a")
		w.serve("a", nil)
		w.looks()
		w.status("GET", "")
		w.status("GET", "")
		require.ElementsMatch(t, []string{"a", "b"}, strings.Split(w.who(), ""), "it is back")
	})
}

// The connection breaks when the request has arrived: it may have been carried out.
func TestWhatMayHaveBeenCarriedOutIsNotRepeated(t *testing.T) {
	for _, method := range []string{"PUT", "POST", "PATCH", "DELETE"} {
		for _, body := range []string{"", "{}"} {
			t.Run(method+body, func(t *testing.T) {
				in(t, Options{}, func(w *world) {
					fine := true
					w.instance("a", func(http.ResponseWriter, *http.Request) {
						if !fine {
							panic(http.ErrAbortHandler)
						}
					})
					w.looks()
					// Over a connection that is in use already the transport would repeat it by itself.
					require.Equal(t, 200, w.status(method, body, "Idempotency-Key", `"k"`))
					w.instance("b", nil)
					fine = false
					require.Equal(t, 502, w.status(method, body, "Idempotency-Key", `"k"`, "X-Idempotency-Key", "k"))
					require.Equal(t, "aa", w.who())
				})
			})
		}
	}
}

func TestAnAnswerThatDoesNotComeIsGivenUp(t *testing.T) {
	in(t, Options{Timeout: 7 * time.Second}, func(w *world) {
		hang := func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // before that the server does not see its client go
			<-r.Context().Done()
		}
		w.instance("a", hang)
		w.instance("b", hang)
		w.looks()
		began := time.Now()
		require.Equal(t, 504, w.status("PUT", "{}"))
		require.Equal(t, 7*time.Second, time.Since(began))
		require.Equal(t, "a", w.who())
		counts, _ := w.proxy.Counts()
		require.Equal(t, 1, counts[0].Failed)
	})
}

func TestABodyHasALimit(t *testing.T) {
	in(t, Options{MaxBody: 10}, func(w *world) {
		w.instance("a", nil)
		w.looks()
		require.Equal(t, 200, w.status("PUT", strings.Repeat("x", 10)))
		require.Equal(t, 413, w.status("PUT", strings.Repeat("x", 11)))
		require.Equal(t, "a", w.who())
	})
}

func TestHeaders(t *testing.T) {
	in(t, Options{}, func(w *world) {
		var got *http.Request
		w.instance("a", func(rw http.ResponseWriter, r *http.Request) {
			got = r
			rw.Header().Set("ETag", `"1-x"`)
			rw.Header().Set("Connection", "Keep-Alive")
			rw.Header().Set("Keep-Alive", "5")
			rw.WriteHeader(http.StatusPreconditionFailed)
		})
		w.looks()
		resp := w.send("PUT", "{}", "If-Match", `"7-x"`, "Idempotency-Key", `"k"`, "Connection", "X-Hop", "X-Hop", "1", "X-Forwarded-For", "forged")
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 412, resp.StatusCode)
		require.Equal(t, `"1-x"`, resp.Header.Get("ETag"))
		require.Empty(t, resp.Header.Get("Keep-Alive"), "a header of the connection")
		require.Equal(t, "/api/x?y=z", got.RequestURI)
		require.Equal(t, "front", got.Host)
		require.Equal(t, `"7-x"`, got.Header.Get("If-Match"))
		require.Equal(t, `"k"`, got.Header.Get("Idempotency-Key"))
		require.Empty(t, got.Header.Get("X-Hop"))
		require.Equal(t, "front", got.Header.Get("X-Forwarded-Host"))
		require.NotContains(t, got.Header.Get("X-Forwarded-For"), "forged")
		require.Empty(t, got.Header.Get("Accept-Encoding"), "the client asked for none")
	})
}

func TestAnswersAreStreamed(t *testing.T) {
	in(t, Options{}, func(w *world) {
		more := make(chan struct{})
		w.instance("a", func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(rw, "one\n")
			_ = http.NewResponseController(rw).Flush()
			<-more
			_, _ = io.WriteString(rw, "two\n")
		})
		w.looks()
		resp := w.send("GET", "")
		lines := bufio.NewReader(resp.Body)
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "one\n", line)

		removed := make(chan error, 1)
		go func() { removed <- w.proxy.Remove(w.t.Context(), "a") }()
		synctest.Wait()
		require.Empty(t, removed, "its last answer is on its way")
		require.Equal(t, 503, w.status("GET", ""))
		close(more)
		line, err = lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "two\n", line)
		require.NoError(t, resp.Body.Close())
		require.NoError(t, <-removed)
	})
}

func TestAnAnswerThatBreaksOffBreaksOff(t *testing.T) {
	in(t, Options{}, func(w *world) {
		w.instance("a", func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(rw, "one\n")
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		})
		w.looks()
		resp := w.send("GET", "")
		_, err := io.ReadAll(resp.Body)
		require.Error(t, err)
		require.NoError(t, resp.Body.Close())
		require.NoError(t, w.proxy.Remove(w.t.Context(), "a"), "it has nothing left to do")
	})
}

func TestAClientThatGoesTakesItsRequestAlong(t *testing.T) {
	in(t, Options{}, func(w *world) {
		ended := make(chan struct{})
		w.instance("a", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); close(ended) })
		w.looks()
		ctx, cancel := context.WithCancel(w.t.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", "http://front/api/x", nil)
		require.NoError(t, err)
		time.AfterFunc(time.Second, cancel)
		_, err = w.front.Do(req)
		require.ErrorIs(t, err, context.Canceled)
		<-ended
		synctest.Wait()
		require.NoError(t, w.proxy.Remove(w.t.Context(), "a"))
		counts, _ := w.proxy.Counts()
		require.Equal(t, []Count{{Name: "a", Requests: 1}}, counts, "that is no failure of the instance")
	})
}
