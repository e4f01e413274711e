package page_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cmd/relaybox/page"
	"github.com/relaybox/relaybox/local/netsim"
)

// near is a network in memory whose clients are on this machine.
type near struct{ *netsim.Pipe }

func (n near) Accept() (net.Conn, error) {
	c, err := n.Pipe.Accept()
	return nearConn{c}, err
}

type nearConn struct{ net.Conn }

func (nearConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000} }

// long is a source whose act takes as long as it may, and then some.
type long struct {
	source
	begun, over atomic.Bool
}

func (l *long) Act(ctx context.Context, _ page.Act) (string, error) {
	l.begun.Store(true)
	<-ctx.Done()
	time.Sleep(time.Second) // the record that it was cut
	l.over.Store(true)
	return "", ctx.Err()
}

// TestNoActOutlivesThePage: the store that it works on goes when the page has ended.
func TestNoActOutlivesThePage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, wire := &long{}, near{netsim.NewPipe()}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- page.Serve(ctx, wire, s) }()
		client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return wire.Dial(ctx) }}}
		go func() {
			r, err := client.Post("http://localhost/act", "application/json", strings.NewReader(`{"verb":"redrive","all":true}`))
			if err == nil {
				_ = r.Body.Close()
			}
		}()
		synctest.Wait()
		require.True(t, s.begun.Load())
		began := time.Now()
		stop()
		require.NoError(t, <-ended)
		require.True(t, s.over.Load(), "it has had its moment, and was cut")
		require.Less(t, time.Since(began), 10*time.Second, "and not all the time that it may take")
		client.CloseIdleConnections()
	})
}
