package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/test/contract"
)

// shown is what a read that may be old was answered.
type shown struct {
	status     int
	etag, from string
	age        time.Duration
	body       string
}

// recent reads a profile that may be as old as age. It is no part of the history, which knows the
// present only.
func (s *system) recent(id string, age time.Duration, headers ...string) shown {
	s.t.Helper()
	got, err := s.tryRecent(id, age, headers...)
	require.NoError(s.t, err)
	return got
}

func (s *system) tryRecent(id string, age time.Duration, headers ...string) (shown, error) {
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.HostURL+"/api/profiles/"+id, nil)
	if err != nil {
		return shown{}, err
	}
	r.Header.Set("Cache-Control", "max-age="+strconv.Itoa(int(age/time.Second)))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w, err := s.http.Do(r)
	if err != nil {
		return shown{}, err
	}
	body, err := io.ReadAll(w.Body)
	if err = errors.Join(err, w.Body.Close()); err != nil {
		return shown{}, err
	}
	if err := contract.Answer(http.MethodGet, r.URL.Path, w.StatusCode, w.Header, body); err != nil {
		return shown{}, err
	}
	old, err := strconv.Atoi(w.Header.Get("Age"))
	return shown{w.StatusCode, w.Header.Get("ETag"), w.Header.Get("X-Cache"), time.Duration(old) * time.Second, string(body)}, err
}

// hits says whether the cache has a profile by now.
func (s *system) hits(id string) func() bool {
	return func() bool {
		got, err := s.tryRecent(id, time.Hour)
		return err == nil && got.from == "HIT"
	}
}

// TestReadsFromMemory is what an app without any setting does.
func TestReadsFromMemory(t *testing.T) {
	t.Parallel()
	s := start(t)
	first := s.must(201, http.MethodPut, "p-1", `{"displayName":"Ada"}`)
	require.Equal(t, "MISS", s.recent("p-1", time.Hour).from)
	got := s.recent("p-1", time.Hour)
	require.Equal(t, shown{200, first.etag, "HIT", got.age, first.body}, got)

	second := s.must(200, http.MethodPut, "p-1", `{"displayName":"Grace"}`)
	require.Equal(t, first.etag, s.recent("p-1", time.Hour).etag, "it may be as old")
	require.Equal(t, second.etag, s.must(200, http.MethodGet, "p-1", "").etag, "nobody said so")
	require.Equal(t, second.etag, s.must(200, http.MethodGet, "p-1", "", "Cache-Control", "no-cache").etag)
	require.Equal(t, 304, s.recent("p-1", time.Hour, "If-None-Match", first.etag).status)
	got = s.recent("p-1", time.Hour, "If-None-Match", second.etag)
	require.Equal(t, 304, got.status, "who has the newer one is not shown the older one")
	require.Equal(t, second.etag, got.etag)
	require.Equal(t, second.etag, s.recent("p-1", time.Hour).etag)

	s.must(204, http.MethodDelete, "p-1", "")
	require.Equal(t, 200, s.recent("p-1", time.Hour).status)
	s.killHandler() // and its memory is gone
	s.eventually(func() bool {
		got, err := s.call(http.MethodGet, "p-1", "")
		return err == nil && got.status == 404
	}, "another handler answers")
	require.Equal(t, 404, s.recent("p-1", time.Hour).status)
}

// TestReadsFromRedis: what it holds outlives a handler; without it reads are slower, and nothing else.
func TestReadsFromRedis(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	server.RequireUserAuth("app", "secret")
	s := start(t, func(c *stack.Config) { c.Settings["REDIS_CONNECTION"] = "redis://app:secret@" + server.Addr() })
	first := s.must(201, http.MethodPut, "p-1", `{"displayName":"Ada <&> Zoë"}`)
	s.eventually(s.hits("p-1"), "it connects beside the first requests")
	got := s.recent("p-1", time.Hour)
	require.Equal(t, shown{200, first.etag, "HIT", got.age, first.body}, got)
	require.Len(t, server.Keys(), 1)
	require.Regexp(t, "^relaybox:[0-9a-f]{12}:profile:p-1$", server.Keys()[0])

	s.must(200, http.MethodPut, "p-1", `{"displayName":"Grace"}`)
	s.killHandler()
	s.eventually(func() bool {
		r, err := s.call(http.MethodGet, "p-1", "")
		return err == nil && r.status == 200
	}, "another handler answers")
	s.eventually(s.hits("p-1"), "it has the cache of the first")
	require.Equal(t, first.etag, s.recent("p-1", time.Hour).etag)

	server.Close()
	got = s.recent("p-1", time.Hour)
	require.Equal(t, "MISS", got.from)
	require.True(t, strings.Contains(got.body, "Grace"), got.body)
	require.Equal(t, 200, s.recent("p-1", time.Hour).status)
	require.NoError(t, server.Restart())
	server.FlushAll()
	s.eventually(s.hits("p-1"), "it is used again")
	require.Contains(t, s.recent("p-1", time.Hour).body, "Grace")
}

// TestEventsKeepTheCacheTrue: nobody reads the store, and the cache has each version all the same, also
// those that came while it was away.
func TestEventsKeepTheCacheTrue(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	s := start(t, func(c *stack.Config) {
		maps.Copy(c.Settings, map[string]string{
			"REDIS_CONNECTION": "redis://" + server.Addr(), "RELAYBOX_READ_CACHE_PREFIX": "e2e:", "AzureWebJobs.RefreshCache.Disabled": "false",
		})
	})
	has := func(version int) func() bool {
		return func() bool {
			return strings.Contains(server.HGet("e2e:profile:p-1", "head"), fmt.Sprintf(`"version":%d,`, version))
		}
	}
	first := s.must(201, http.MethodPut, "p-1", `{"displayName":"Ada <&> Zoë"}`)
	s.eventually(has(1), "its event has arrived")
	got := s.recent("p-1", time.Hour)
	require.Equal(t, shown{200, first.etag, "HIT", got.age, first.body}, got)

	second := s.must(200, http.MethodPut, "p-1", `{"displayName":"Grace"}`)
	s.eventually(has(2), "so has the next one")
	got = s.recent("p-1", time.Hour)
	require.Equal(t, shown{200, second.etag, "HIT", got.age, second.body}, got)

	server.Close()
	s.must(200, http.MethodPut, "p-1", `{"displayName":"Joan"}`)
	require.Equal(t, "MISS", s.recent("p-1", time.Hour).from)
	s.killHandler()
	require.NoError(t, server.Restart())
	s.eventually(has(3), "whoever had the event when it died")
	s.eventually(func() bool {
		got, err := s.tryRecent("p-1", time.Hour)
		return err == nil && got.from == "HIT" && strings.Contains(got.body, "Joan")
	}, "another handler answers")

	s.must(204, http.MethodDelete, "p-1", "")
	s.eventually(has(4), "a deletion is a version")
	got = s.recent("p-1", time.Hour)
	require.Equal(t, []any{404, "HIT"}, []any{got.status, got.from})
	require.Empty(t, s.Bus.Peek(s.Settings["EVENTS_TOPIC"]+"/Subscriptions/"+s.Settings["CACHE_SUBSCRIPTION"]+"/$DeadLetterQueue"))
}
