package azfunc_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
)

type followedKey struct{}

// TestFollow: who follows invocations hears of each with its answer, and gives the function
// its request.
func TestFollow(t *testing.T) {
	t.Parallel()
	type ended struct {
		name      string
		forwarded bool
		status    int
		err       string
	}
	var heard []ended
	var log bytes.Buffer
	mux := azfunc.NewMux(azfunc.MuxOptions{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Follow: func(r *http.Request, name string, forwarded bool) (*http.Request, func(int, error)) {
			return r.WithContext(context.WithValue(r.Context(), followedKey{}, name)), func(status int, err error) {
				e := ended{name: name, forwarded: forwarded, status: status}
				if err != nil {
					e.err = err.Error()
				}
				heard = append(heard, e)
			}
		},
	})
	mux.HandleRoute([]string{"GET"}, "api/things/{id}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "api/things/{id}", r.Context().Value(followedKey{}))
		require.Equal(t, "00-1", azfunc.Traceparent(r.Context()))
		if r.PathValue("id") == "none" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	mux.Handle("Tick", azfunc.Handle(func(ctx context.Context, _ *azfunc.Invocation) (azfunc.Result, error) {
		require.Empty(t, azfunc.Traceparent(ctx))
		require.Equal(t, "00-2", azfunc.Traceparent(azfunc.WithTraceparent(ctx, "00-2")))
		return azfunc.Result{}, errors.New("no")
	}))
	mux.Handle("Break", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }))
	call := func(method, path, traceparent string) {
		r := httptest.NewRequest(method, path, strings.NewReader(`{"Data":{},"Metadata":{}}`))
		if traceparent != "" {
			r.Header.Set("traceparent", traceparent)
		}
		mux.ServeHTTP(httptest.NewRecorder(), r)
	}
	call("GET", "/api/things/1", "00-1")
	call("GET", "/api/things/none", "00-1")
	call("POST", "/Tick", "")
	call("POST", "/Break", "")
	call("GET", "/", "")
	call("GET", "/nowhere", "")
	require.Equal(t, []ended{
		{"api/things/{id}", true, 200, ""}, {"api/things/{id}", true, 404, ""}, {"Tick", false, 500, "no"}, {"Break", false, 500, ""},
	}, heard, "what reaches a function")
}
