package bench

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBodyHasItsSize(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 9, 1_000_000} {
		require.Len(t, body(n), profileBytes)
	}
	require.NotEqual(t, body(1), body(2))
}

func TestKeysFollowFromTheSeed(t *testing.T) {
	t.Parallel()
	require.Equal(t, keys(1, 5000, 1000), keys(1, 5000, 1000))
	require.NotEqual(t, keys(1, 5000, 1000), keys(2, 5000, 1000))
	require.Len(t, distinct(keys(1, 500, 500)), 500, "one event each")
	require.Len(t, distinct(keys(1, 500, 1)), 1)
}

// TestOpenLoopDoesNotWait: each begins when it is due, whatever becomes of those before it.
func TestOpenLoopDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		due, at := map[int]time.Duration{}, map[int]time.Duration{}
		openLoop(t.Context(), time.Second, 5, func(n int, d time.Time) {
			mu.Lock()
			due[n], at[n] = d.Sub(began), time.Since(began)
			mu.Unlock()
			time.Sleep(time.Minute)
		})
		for n := range 5 {
			require.Equal(t, time.Duration(n)*time.Second, due[n])
			require.Equal(t, due[n], at[n])
		}
		require.Equal(t, 4*time.Second+time.Minute, time.Since(began), "the last is waited for")
	})
}

// TestOpenLoopEndsWithItsContext: nothing begins after it.
func TestOpenLoopEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		var mu sync.Mutex
		n := 0
		openLoop(ctx, time.Second, 100, func(int, time.Time) { mu.Lock(); n++; mu.Unlock() })
		require.Equal(t, 3, n)
	})
}

// TestLatencyIsFromWhenItWasDue: a client that could not send in time has waited, too.
func TestLatencyIsFromWhenItWasDue(t *testing.T) {
	t.Parallel()
	l := loadOn(t, http.StatusOK, `"1-life"`)
	l.write(t.Context(), "a", 0, time.Now().Add(-3*time.Second))
	require.Len(t, l.answer, 1)
	require.GreaterOrEqual(t, l.answer[0], 3*time.Second)
	require.Contains(t, l.due, message{"a", 1})
}

// TestLoadCountsWhatItIsTold: only an answer of success is an acknowledgement.
func TestLoadCountsWhatItIsTold(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]acknowledged{
		http.StatusOK: {writes: 3}, http.StatusCreated: {writes: 3},
		http.StatusServiceUnavailable: {refused: 3}, http.StatusNotFound: {refused: 3},
	} {
		l := loadOn(t, status, `"7"`)
		l.closed(t.Context(), 2, []string{"a", "a", "a"})
		require.Equal(t, map[string]acknowledged{"a": want}, l.writes, status)
		require.Equal(t, want.writes, l.acknowledgements())
		require.Equal(t, want.refused, l.refusals())
		require.Equal(t, want.refused > 0, l.fault != nil)
	}
	l := loadOn(t, http.StatusOK, "")
	l.closed(t.Context(), 1, []string{"a"})
	require.Equal(t, 1, l.refusals(), "an answer without a version says nothing")
}

func loadOn(t *testing.T, status int, etag string) *load {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", etag)
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return newLoad([]string{server.URL}, 2)
}

func TestReadMessage(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"profile:k-1", "k-1"} { // today's stores, and older ones
		m, err := readMessage([]byte(fmt.Sprintf(`{"partitionkey":%q,"sequence":"00000000000000000012"}`, key)))
		require.NoError(t, err)
		require.Equal(t, message{"k-1", 12}, m)
	}
	for _, bad := range []string{"", "{}", `{"sequence":"x"}`} {
		_, err := readMessage([]byte(bad))
		require.Error(t, err, bad)
	}
}
