package front

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/netsim"
)

// TestSlowClientsAreEnded: a client that sends a byte now and then holds a connection for a bounded time only, whatever
// part of a request it is slow with.
func TestSlowClientsAreEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		begins string
		drips  string
		within time.Duration
	}{
		"nothing":        {"", "", idleTimeout},
		"a start line":   {"", "a", headTimeout},
		"empty lines":    {"", "\r\n", headTimeout},
		"a header":       {"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", "a", headTimeout},
		"a body":         {"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n", "a", idleTimeout},
		"an unread body": {"PUT /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n", "a", headTimeout},
		"chunks":         {"PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", headTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := netsim.NewPipe()
				s := NewServer(nil, func(req *Request) Response {
					if req.Path != "/unread" {
						_, _ = req.Body() // that it fails is the case
					}
					return Response{Status: 400}
				})
				served := make(chan error, 1)
				go func() { served <- s.Run(l) }()
				conn, err := l.Dial(t.Context())
				require.NoError(t, err)
				began := time.Now()
				dripped := make(chan struct{})
				go func() {
					defer close(dripped)
					_, err := io.WriteString(conn, c.begins)
					for ; err == nil && c.drips != ""; time.Sleep(time.Second) {
						_, err = io.WriteString(conn, c.drips)
					}
				}()
				_, _ = io.Copy(io.Discard, conn) // to the connection's end
				require.LessOrEqual(t, time.Since(began), c.within+2*time.Second)
				require.NoError(t, conn.Close())
				<-dripped
				require.NoError(t, l.Close())
				require.NoError(t, <-served)
				s.Stop(context.Background())
			})
		})
	}
}
