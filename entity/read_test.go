package entity_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// TestAReadIsAsNewAsItIsAskedToBe: the barrier costs a write, and comes before the read.
func TestAReadIsAsNewAsItIsAskedToBe(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	h.must(201, "PUT", "doors/d", `{"name":"Front"}`)
	var ops []string
	fails := ""
	store := &outboxtest.FaultyStore{Storage: h.store, Before: func(_ context.Context, op, _ string) error {
		if ops = append(ops, op); op == fails {
			return &outbox.Error{Class: outbox.Unavailable, Op: op}
		}
		return nil
	}}
	reads, err := door().Reads(entity.Deps{Reader: store, Kinds: h.kinds})
	require.NoError(t, err)
	for _, c := range []struct {
		method, cache, fails string
		status               int
		want                 []string
	}{
		{"GET", "", "", 200, []string{"load"}},
		{"HEAD", "", "", 200, []string{"load"}},
		{"GET", "no-cache", "", 200, []string{"barrier", "load"}},
		{"GET", "no-cache", "barrier", 503, []string{"barrier"}},
		{"GET", "", "load", 503, []string{"load"}},
	} {
		r := httptest.NewRequest(c.method, "/api/doors/d", nil)
		r.SetPathValue("id", "d")
		r.Header.Set("Cache-Control", c.cache)
		w := httptest.NewRecorder()
		ops, fails = nil, c.fails
		reads.ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, w.Body)
		require.Equal(t, c.want, ops)
		if c.status != 200 {
			continue
		}
		require.Equal(t, "private, no-cache", w.Header().Get("Cache-Control"))
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.NotEmpty(t, w.Header().Get("ETag"))
		require.NotEmpty(t, w.Header().Get("Content-Length"))
		require.Equal(t, c.method == "HEAD", w.Body.Len() == 0)
	}
}
