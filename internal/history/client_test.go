package history_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/internal/history"
)

// TestClient: what is recorded is what was sent and what was answered, and the lack of an answer.
func TestClient(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 3)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		if r.Method == http.MethodDelete {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("ETag", tag(1))
		_, _ = w.Write([]byte(`{"displayName":"Ann"}`))
	}))
	t.Cleanup(server.Close)
	record := &history.Recorder{}
	client := history.Client{HTTP: server.Client(), Record: record}

	told, _, err := client.Do(t.Context(), "x", server.URL+"/x", history.Call{
		Method: http.MethodPatch, Body: `{"displayName":"Ann"}`, IfMatch: tag(1), IdempotencyKey: `"k"`, Trace: "0af7651916cd43dd8448eb211c80319c",
	})
	require.NoError(t, err)
	require.Equal(t, history.Answered, told.Outcome)
	require.Equal(t, history.Answer{Status: 200, ETag: tag(1), Body: `{"displayName":"Ann"}`}, told.Answer)
	got := <-asked
	for name, want := range map[string]string{
		"Content-Type": "application/merge-patch+json", "If-Match": tag(1), "Idempotency-Key": `"k"`, "Cache-Control": "",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
	} {
		require.Equal(t, want, got.Header.Get(name), name)
	}

	_, _, err = client.Do(t.Context(), "x", server.URL+"/x", history.Call{Method: http.MethodDelete})
	require.Error(t, err)
	_, _, err = client.Do(t.Context(), "x", server.URL+"/x", history.Call{Method: http.MethodGet, Current: true})
	require.NoError(t, err)
	require.Empty(t, (<-asked).Header.Get("Content-Type"))
	require.Equal(t, "no-cache", (<-asked).Header.Get("Cache-Control"))
	server.Close()
	_, _, err = client.Do(t.Context(), "x", server.URL+"/x", history.Call{Method: http.MethodPut, Body: `{}`})
	require.Error(t, err)
	_, _, err = client.Do(t.Context(), "", server.URL+"/", history.Call{Method: http.MethodGet})
	require.Error(t, err)

	require.Equal(t, []string{"x"}, record.Keys())
	var outcomes []history.Outcome
	for _, c := range record.Calls("x") {
		require.False(t, c.End.Before(c.Start))
		outcomes = append(outcomes, c.Outcome)
	}
	require.Equal(t, []history.Outcome{history.Answered, history.Open, history.Answered, history.NotStored}, outcomes)
}

// TestALostRequestIsNotSentAgain by net/http, which does so with a DELETE, and a request under an
// Idempotency-Key: that it cannot be sent a second time does not say that nobody has got it.
func TestALostRequestIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for _, down := range []bool{false, true} {
		var got atomic.Int32
		var server *httptest.Server
		server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got.Add(1) == 1 {
				return // and the connection is used again
			}
			if down {
				_ = server.Listener.Close()
			}
			panic(http.ErrAbortHandler)
		}))
		client := history.Client{HTTP: server.Client()}
		_, _, err := client.Do(t.Context(), "", server.URL, history.Call{Method: http.MethodGet})
		require.NoError(t, err)
		told, _, err := client.Do(t.Context(), "", server.URL, history.Call{Method: http.MethodDelete, IdempotencyKey: `"k"`})
		require.Error(t, err)
		require.Equal(t, history.Open, told.Outcome, err)
		require.EqualValues(t, 2, got.Load())
		server.Close()
		told, _, err = client.Do(t.Context(), "", server.URL, history.Call{Method: http.MethodDelete, IdempotencyKey: `"k"`})
		require.Error(t, err)
		require.Equal(t, history.NotStored, told.Outcome, "nobody is there")
	}
}
