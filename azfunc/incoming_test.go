package azfunc_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
)

// TestAnswersReachAHostThatSendsTheBodyFirst: the host's client sends the whole body, then reads. A handler that
// answers before it has read it, and closes, breaks that client's pipe, and its client gets an empty 500.
func TestAnswersReachAHostThatSendsTheBodyFirst(t *testing.T) {
	t.Parallel()
	m := newMux(io.Discard)
	m.HandleRoute([]string{"put"}, "api/profiles/{id}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	m.Handle("ConsumeEvent", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	c := dialed(t, m)
	answers := bufio.NewReader(c)
	body := bytes.Repeat([]byte("x"), 5<<20)
	for _, r := range []struct {
		line   string
		status int
	}{
		{"PUT /api/profiles/p-1", http.StatusRequestEntityTooLarge},
		{"POST /api/profiles/p-1", http.StatusMethodNotAllowed},
		{"PUT /nobody", http.StatusNotFound},
		{"PUT /", http.StatusOK},
		{"POST /ConsumeEvent", http.StatusInternalServerError},
		{"PUT /api/profiles/p-1", http.StatusRequestEntityTooLarge},
	} {
		_, err := fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", r.line, len(body))
		require.NoError(t, err)
		_, err = c.Write(body)
		require.NoError(t, err, r.line)
		answer, err := http.ReadResponse(answers, nil)
		require.NoError(t, err, r.line)
		_, err = io.Copy(io.Discard, answer.Body)
		require.NoError(t, err)
		require.Equal(t, r.status, answer.StatusCode, r.line)
		require.False(t, answer.Close, "the connection goes on")
	}
}

// TestABodyThatStallsEnds: nobody may hold an invocation by a body that never comes.
func TestABodyThatStallsEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMux(io.Discard)
		m.HandleRoute([]string{"put"}, "api/profiles/{id}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			require.Error(t, err)
			require.EqualValues(t, 3, n)
			w.WriteHeader(http.StatusBadRequest)
		}))
		c := dialed(t, m)
		_, err := io.WriteString(c, "PUT /api/profiles/p-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
		require.NoError(t, err)
		began := time.Now()
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, answer.StatusCode)
		require.LessOrEqual(t, time.Since(began), time.Minute)
	})
}

// TestABodyThatHasComeNeverEndsItsInvocation: the time for the body is not the time for the work.
func TestABodyThatHasComeNeverEndsItsInvocation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMux(io.Discard)
		m.HandleRoute([]string{"put"}, "api/profiles/{id}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			require.NoError(t, err)
			select {
			case <-time.After(time.Hour):
			case <-r.Context().Done():
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		c := dialed(t, m)
		_, err := io.WriteString(c, "PUT /api/profiles/p-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
		require.NoError(t, err)
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, answer.StatusCode)
	})
}

// dialed is a connection to a server that answers with m, in memory.
func dialed(t *testing.T, m *azfunc.Mux) net.Conn {
	t.Helper()
	c, accepted := net.Pipe()
	l := &single{conns: make(chan net.Conn, 1)}
	l.conns <- accepted
	server := &http.Server{Handler: m}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, errors.Join(c.Close(), server.Close()))
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return c
}

// single listens for the connections that it is given.
type single struct {
	conns chan net.Conn
	once  sync.Once
}

func (s *single) Accept() (net.Conn, error) {
	if c, ok := <-s.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (s *single) Close() error {
	s.once.Do(func() { close(s.conns) })
	return nil
}

func (s *single) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
