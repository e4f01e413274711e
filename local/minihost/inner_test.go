package minihost

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/netsim"
)

// TestInner: a handler in this process has the same life as a program, in time of the
// test's own. It crashes once an hour, which is forgiven each time, and then twice more
// within half an hour, which is not.
func TestInner(t *testing.T) {
	t.Parallel()
	files := map[string]string{"host.json": hostJSON(t, "", ""), "Tick/function.json": `{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"0 */10 * * * *"}]}`}
	app := folder(t, files)
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Pointer[netsim.Pipe]
		ticks, environments := 0, [][]string{}
		crash := make(chan struct{})
		inner := &Inner{
			Run: func(ctx context.Context, env []string) error {
				environments = append(environments, env)
				server, door := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/Tick" {
						ticks++
					}
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(`{}`))
				})}, netsim.NewPipe()
				now.Store(door)
				go func() { _ = server.Serve(door) }()
				defer func() { _ = server.Close() }()
				select {
				case <-ctx.Done():
					return nil
				case <-crash:
					return errors.New("fell over")
				}
			},
			Dial: func(ctx context.Context) (net.Conn, error) {
				if door := now.Load(); door != nil {
					return door.Dial(ctx)
				}
				return nil, net.ErrClosed
			},
		}
		host, err := Load(Options{App: app, Inner: inner, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		ran := make(chan error, 1)
		go func() { ran <- host.Run(t.Context(), netsim.NewPipe()) }()
		time.Sleep(5 * time.Minute) // between two ticks
		for range 5 {
			time.Sleep(time.Hour)
			crash <- struct{}{}
		}
		synctest.Wait()
		require.Equal(t, 5*6, ticks)
		require.Equal(t, 6, host.HandlerPID(), "the sixth start")
		crash <- struct{}{}
		time.Sleep(time.Minute)
		crash <- struct{}{}
		require.ErrorIs(t, <-ran, ErrHandlerCrashed)
		require.Len(t, environments, 7)
		require.Contains(t, environments[0], "FUNCTIONS_CUSTOMHANDLER_PORT=1")
	})
}
