package e2e_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/health"
)

// health asks the app how it is.
func (s *system) health(path string) (status int, r health.Report) {
	s.t.Helper()
	got, err := s.call(http.MethodGet, path+"/", "")
	require.NoError(s.t, err)
	require.NoError(s.t, json.Unmarshal([]byte(got.body), &r), got.body)
	return got.status, r
}

// becomes waits until a check has a status.
func (s *system) becomes(path string, status int, check string, want health.Status) (r health.Report) {
	s.t.Helper()
	s.eventually(func() bool {
		code := 0
		code, r = s.health(path)
		return code == status && len(r.Checks[check]) == 1 && r.Checks[check][0].Status == want
	}, "%s of %s is a %s", check, path, want)
	return r
}

// TestHealthIsTheState: red while an event is parked, and while the broker is away, and no longer.
func TestHealthIsTheState(t *testing.T) {
	t.Parallel()
	s := start(t, witnessed)
	r := s.becomes("health", 200, "outbox:parked", health.Pass)
	require.Equal(t, health.Pass, r.Status, r.Checks)
	require.NotEmpty(t, r.Version)
	stop := s.write(1, func(int, int) string { return "well" })
	s.park("profile:bad-0", 1)
	stop()
	r = s.becomes("health", 503, "outbox:parked", health.Fail)
	require.EqualValues(t, 1, r.Checks["outbox:parked"][0].Value)
	require.EqualValues(t, 1, r.Checks["outbox:blockedKeys"][0].Value)
	s.becomes("health/ready", 200, "store:responseTime", health.Pass)
	s.Bus.ClearFaults()
	s.operate(0, "events", "redrive", "--all")
	s.becomes("health", 200, "outbox:parked", health.Pass)

	s.BusNet.Cut()
	s.becomes("health/ready", 503, "broker:responseTime", health.Fail)
	s.becomes("health", 503, "broker:responseTime", health.Fail)
	status, r := s.health("health/live")
	require.Equal(t, []any{200, health.Pass}, []any{status, r.Status})
	s.BusNet.Heal()
	s.becomes("health/ready", 200, "broker:responseTime", health.Pass)
	r = s.becomes("health", 200, "broker:responseTime", health.Pass)
	require.EqualValues(t, 0, r.Checks["subscription:deadLetters"][0].Value)
	s.must(404, http.MethodGet, "health/else", "")
	s.eventually(func() bool { return s.pending() == 0 }, "what has waited has gone out")
	require.WithinDuration(t, time.Now(), r.Checks["subscription:active"][0].Time, time.Minute)
}
