package health_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	function "github.com/relaybox/relaybox/functions/Health"
	"github.com/relaybox/relaybox/health"
	"github.com/relaybox/relaybox/test/contract"
)

// told answers with what it was told.
type told struct{ live, ready, state health.Status }

func report(s health.Status) health.Report {
	return health.Report{Status: s, Version: "1", Checks: map[string][]health.Check{
		"outbox:parked": {{Component: "datastore", Value: 0, Status: s, Time: time.Now().UTC()}},
	}}
}

func (c told) Live() health.Report                 { return report(c.live) }
func (c told) Ready(context.Context) health.Report { return report(c.ready) }
func (c told) State(context.Context) health.Report { return report(c.state) }

func TestHealth(t *testing.T) {
	t.Parallel()
	h := function.New(told{live: health.Pass, ready: health.Warn, state: health.Fail}, nil)
	for _, c := range []struct {
		method, check string
		status        int
		told          health.Status
	}{
		{"GET", "", 503, health.Fail}, {"HEAD", "", 503, ""},
		{"GET", "live", 200, health.Pass}, {"HEAD", "live", 200, ""},
		{"GET", "ready", 200, health.Warn}, {"HEAD", "ready", 200, ""},
		{"GET", "else", 404, ""},
	} {
		path := "/api/health"
		if c.check != "" {
			path += "/" + c.check
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest(c.method, path, nil)
		r.SetPathValue("check", c.check)
		h.ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, path)
		require.NoError(t, contract.Answer(c.method, path, w.Code, w.Header(), w.Body.Bytes()))
		if c.told == "" {
			continue
		}
		require.Equal(t, "application/health+json", w.Header().Get("Content-Type"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		var got health.Report
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		require.Equal(t, c.told, got.Status)
		require.EqualValues(t, 0, got.Checks["outbox:parked"][0].Value, "a number that is nought is told, too")
	}
}
