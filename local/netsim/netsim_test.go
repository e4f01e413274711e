package netsim_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/netsim"
)

// echo serves l until it is closed and sends every byte back.
func echo(t *testing.T, l net.Listener) {
	t.Helper()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-stopped })
}

func listen(t *testing.T) *netsim.Listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := netsim.Wrap(inner)
	echo(t, l)
	return l
}

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// say sends one word and returns what comes back.
func say(c net.Conn) (string, error) {
	if _, err := c.Write([]byte("ping")); err != nil {
		return "", err
	}
	buf := make([]byte, 4)
	_, err := io.ReadFull(c, buf)
	return string(buf), err
}

func TestCutResetsLiveConnectionsAndTurnsNewOnesAway(t *testing.T) {
	t.Parallel()
	l := listen(t)
	before := dial(t, l)
	word, err := say(before)
	require.NoError(t, err)
	require.Equal(t, "ping", word)

	l.Cut()
	_, err = say(before)
	require.Error(t, err, "a live connection survived the cut")
	if during, err := net.Dial("tcp", l.Addr().String()); err == nil {
		_, err = say(during)
		require.Error(t, err, "a connection was made during the cut")
		_ = during.Close()
	}
	require.Zero(t, l.Live())

	l.Heal()
	_, err = say(before)
	require.Error(t, err, "a reset connection came back to life")
	word, err = say(dial(t, l))
	require.NoError(t, err)
	require.Equal(t, "ping", word)
	require.GreaterOrEqual(t, l.Resets(), 1)
}

func TestCloseLeavesTheBooks(t *testing.T) {
	t.Parallel()
	l := listen(t)
	c := dial(t, l)
	_, err := say(c)
	require.NoError(t, err)
	require.Equal(t, 1, l.Live())
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return l.Live() == 0 }, time.Minute, time.Millisecond)
}

func TestDelayIsLatencyNotBandwidth(t *testing.T) {
	t.Parallel()
	l := listen(t)
	l.Delay(40 * time.Millisecond)
	c := dial(t, l)
	const words = 400
	start := time.Now()
	for range words {
		_, err := c.Write([]byte("ping"))
		require.NoError(t, err)
	}
	_, err := io.ReadFull(c, make([]byte, 4*words))
	require.NoError(t, err)
	took := time.Since(start)
	require.GreaterOrEqual(t, took, 80*time.Millisecond, "one delay in, one out")
	require.Less(t, took, words*80*time.Millisecond, "the words waited for each other")
}

func TestDelayedBytesArriveBeforeTheEnd(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := netsim.Wrap(inner)
	l.Delay(10 * time.Millisecond)
	t.Cleanup(func() { _ = l.Close() })
	c := dial(t, l)
	server, err := l.Accept()
	require.NoError(t, err)
	_, err = server.Write([]byte("last words"))
	require.NoError(t, err)
	require.NoError(t, server.Close())
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "last words", string(got))
	_, err = server.Write([]byte("too late"))
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestCutReachesDelayedConnections(t *testing.T) {
	t.Parallel()
	l := listen(t)
	l.Delay(time.Millisecond)
	c := dial(t, l)
	_, err := say(c)
	require.NoError(t, err)
	l.Cut()
	_, err = say(c)
	require.Error(t, err)
}

func TestPipeKeepsFakeTimeMoving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := netsim.NewPipe()
		echo(t, p)
		c, err := p.Dial(t.Context())
		require.NoError(t, err)
		start := time.Now()
		time.Sleep(time.Hour) // fake: the bubble is idle
		require.Equal(t, time.Hour, time.Since(start))
		word, err := say(c)
		require.NoError(t, err)
		require.Equal(t, "ping", word)
		require.NoError(t, c.Close())
		require.Equal(t, "pipe", p.Addr().String())
	})
}

func TestPipeDialEnds(t *testing.T) {
	t.Parallel()
	p := netsim.NewPipe()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrUnexpectedEOF)
	_, err := p.Dial(ctx)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, p.Close())
	_, err = p.Dial(t.Context())
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = p.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}
