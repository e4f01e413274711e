package entity_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/entity/request"
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

// kept is a cache with one entity, which asks its store only for what is to be new.
type kept struct {
	store *outboxtest.MemStore
	e     outbox.Entity
	old   time.Duration
	ages  []time.Duration
	err   error
}

func (c *kept) Recent(ctx context.Context, key string, age time.Duration) (outbox.Entity, time.Duration, bool, error) {
	c.ages = append(c.ages, age)
	if c.err != nil {
		return outbox.Entity{}, 0, false, c.err
	}
	if c.e.Version > 0 && c.old <= age {
		return c.e, c.old, true, nil
	}
	e, err := c.store.Load(ctx, key)
	return e, 0, false, err
}

// TestAReadMayBeAsOldAsItSays: only then is the cache asked, and nobody who names what they have is
// shown an older one.
func TestAReadMayBeAsOldAsItSays(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	h.must(201, "PUT", "doors/d", `{"name":"Front"}`)
	first, err := h.store.Load(t.Context(), "door:d")
	require.NoError(t, err)
	h.must(200, "PUT", "doors/d", `{"name":"Back"}`)
	second, err := h.store.Load(t.Context(), "door:d")
	require.NoError(t, err)
	gone := outbox.Entity{Key: "door:d", Version: 1, Incarnation: first.Incarnation, Deleted: true}
	for name, c := range map[string]struct {
		cached                 outbox.Entity
		control, header, value string
		status                 int
		tag, age, shown        string
		asked                  []time.Duration
	}{
		"not asked":                {first, "", "", "", 200, request.Tag(second), "", "", nil},
		"no-cache":                 {first, "no-cache, max-age=60", "", "", 200, request.Tag(second), "", "", nil},
		"hit":                      {first, "max-age=60", "", "", 200, request.Tag(first), "30", "HIT", []time.Duration{time.Minute}},
		"too old":                  {first, "max-age=29", "", "", 200, request.Tag(second), "0", "MISS", []time.Duration{29 * time.Second}},
		"known":                    {first, "max-age=60", "If-None-Match", request.Tag(first), 304, request.Tag(first), "30", "HIT", []time.Duration{time.Minute}},
		"a newer one is known":     {first, "max-age=60", "If-None-Match", request.Tag(second), 304, request.Tag(second), "0", "MISS", []time.Duration{time.Minute, 0}},
		"matches":                  {first, "max-age=60", "If-Match", request.Tag(first), 200, request.Tag(first), "30", "HIT", []time.Duration{time.Minute}},
		"a newer one matches":      {first, "max-age=60", "If-Match", request.Tag(second), 200, request.Tag(second), "0", "MISS", []time.Duration{time.Minute, 0}},
		"an older one matches":     {second, "max-age=60", "If-Match", request.Tag(first), 412, "", "30", "HIT", []time.Duration{time.Minute}},
		"an older one is known":    {second, "max-age=60", "If-None-Match", request.Tag(first), 200, request.Tag(second), "30", "HIT", []time.Duration{time.Minute}},
		"gone":                     {gone, "max-age=60", "", "", 404, "", "30", "HIT", []time.Duration{time.Minute}},
		"gone, as far as it knows": {gone, "max-age=60", "If-None-Match", request.Tag(second), 304, request.Tag(second), "0", "MISS", []time.Duration{time.Minute, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, method := range []string{"GET", "HEAD"} {
				cache := &kept{store: h.store, e: c.cached, old: 30*time.Second + 999*time.Millisecond}
				reads, err := door().Reads(entity.Deps{Reader: h.store, Cache: cache, Kinds: h.kinds})
				require.NoError(t, err)
				r := httptest.NewRequest(method, "/api/doors/d", nil)
				r.SetPathValue("id", "d")
				r.Header.Set("Cache-Control", c.control)
				if c.header != "" {
					r.Header.Set(c.header, c.value)
				}
				w := httptest.NewRecorder()
				reads.ServeHTTP(w, r)
				require.Equal(t, c.status, w.Code, w.Body)
				require.Equal(t, c.tag, w.Header().Get("ETag"))
				require.Equal(t, c.age, w.Header().Get("Age"))
				require.Equal(t, c.shown, w.Header().Get("X-Cache"))
				require.Equal(t, c.asked, cache.ages)
			}
		})
	}
	cache := &kept{err: &outbox.Error{Class: outbox.Throttled, RetryAfter: time.Second}}
	reads, err := door().Reads(entity.Deps{Reader: h.store, Cache: cache, Kinds: h.kinds})
	require.NoError(t, err)
	r := httptest.NewRequest("GET", "/api/doors/d", nil)
	r.SetPathValue("id", "d")
	r.Header.Set("Cache-Control", "max-age=60")
	w := httptest.NewRecorder()
	reads.ServeHTTP(w, r)
	require.Equal(t, 429, w.Code)
	require.Empty(t, w.Header().Get("Age"))
}

// TestWhoNamesANewerVersionWaitsForIt: a replica that lags as the cache does is not believed.
func TestWhoNamesANewerVersionWaitsForIt(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	h.must(201, "PUT", "doors/d", `{"name":"Front"}`)
	lagging := h.store.Copy()
	first, err := lagging.Load(t.Context(), "door:d")
	require.NoError(t, err)
	h.must(200, "PUT", "doors/d", `{"name":"Back"}`)
	second, err := h.store.Load(t.Context(), "door:d")
	require.NoError(t, err)
	var ops []string
	store := &outboxtest.FaultyStore{Storage: h.store, Before: func(_ context.Context, op, _ string) error {
		ops = append(ops, op)
		return nil
	}}
	for name, cache := range map[string]*kept{
		"a hit":  {store: lagging, e: first, old: time.Second},
		"a miss": {store: lagging},
	} {
		ops = nil
		reads, err := door().Reads(entity.Deps{Reader: store, Cache: cache, Kinds: h.kinds})
		require.NoError(t, err)
		r := httptest.NewRequest("GET", "/api/doors/d", nil)
		r.SetPathValue("id", "d")
		r.Header.Set("Cache-Control", "max-age=60")
		r.Header.Set("If-None-Match", request.Tag(second))
		w := httptest.NewRecorder()
		reads.ServeHTTP(w, r)
		require.Equal(t, 304, w.Code, name)
		require.Equal(t, []string{"barrier", "load"}, ops, name)
		require.Equal(t, "MISS", w.Header().Get("X-Cache"), name)
	}
}
