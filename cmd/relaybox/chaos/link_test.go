package chaos

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// linked is a link to a server that sends every byte back.
func linked(t *testing.T) *link {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	l, err := newLink(func() string { return server.Addr().String() })
	require.NoError(t, err)
	go l.run(t.Context())
	return l
}

func dial(t *testing.T, l *link) net.Conn {
	c, err := net.Dial("tcp", l.addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func say(c net.Conn, patience time.Duration) error {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("ping")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 4))
	return err
}

const long = 10 * time.Second

func TestLinkIsCut(t *testing.T) {
	t.Parallel()
	l := linked(t)
	before := dial(t, l)
	require.NoError(t, say(before, long))
	l.cut()
	require.Error(t, say(before, long))
	l.heal()
	require.NoError(t, say(dial(t, l), long))
}

// TestLinkStalls: what is sent meanwhile arrives afterwards, on the same connection.
func TestLinkStalls(t *testing.T) {
	t.Parallel()
	l := linked(t)
	c := dial(t, l)
	require.NoError(t, say(c, long))
	l.stall()
	l.stall() // twice is once
	var late net.Error
	require.ErrorAs(t, say(c, 50*time.Millisecond), &late)
	require.True(t, late.Timeout())
	l.heal()
	_ = c.SetDeadline(time.Now().Add(long))
	_, err := io.ReadFull(c, make([]byte, 4))
	require.NoError(t, err)
	require.NoError(t, say(c, long))
}

func TestLinkIsSlow(t *testing.T) {
	t.Parallel()
	l := linked(t)
	l.slow(30 * time.Millisecond)
	c := dial(t, l)
	began := time.Now()
	require.NoError(t, say(c, long))
	require.GreaterOrEqual(t, time.Since(began), 60*time.Millisecond)
	l.heal()
}

func TestLinkWithoutAServer(t *testing.T) {
	t.Parallel()
	l, err := newLink(func() string { return "" })
	require.NoError(t, err)
	go l.run(t.Context())
	require.Error(t, say(dial(t, l), long))
}
