package cosmos

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/probe"
	"github.com/relaybox/relaybox/local/minicosmos"
)

func TestInspectWhatTheAppMade(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	connected(t, server.ConnectionString())
	s := Inspect(t.Context(), Connection{ConnectionString: server.ConnectionString()}, Options{}, "relaybox", "outbox", "none")
	require.NoError(t, s.Err)
	require.NoError(t, s.DatabaseErr)
	require.True(t, s.ClockKnown)
	require.Zero(t, s.Ahead)
	require.Len(t, s.WriteRegions, 1)
	require.False(t, s.MultipleWrites)
	require.Equal(t, "Strong", s.Consistency)
	require.NoError(t, s.Containers["outbox"].Err)
	needed := Needed()
	needed.Excluded = append(needed.Excluded, `/"_etag"/?`) // which the service adds to every policy
	require.Equal(t, needed, s.Containers["outbox"].ContainerProperties, "what is made is what is needed")
	require.Equal(t, probe.Missing, probe.Of(s.Containers["none"].Err))
}

func TestInspectWithoutADatabase(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	s := Inspect(t.Context(), Connection{ConnectionString: server.ConnectionString()}, Options{}, "relaybox", "outbox")
	require.NoError(t, s.Err)
	require.Equal(t, probe.Missing, probe.Of(s.DatabaseErr))
}

func TestInspectIsRefused(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	wrong := base64.StdEncoding.EncodeToString([]byte("another key"))
	s := Inspect(t.Context(), Connection{ConnectionString: strings.Replace(server.ConnectionString(), minicosmos.EmulatorKey, wrong, 1)}, Options{}, "relaybox", "outbox")
	require.Equal(t, probe.Unauthorized, probe.Of(s.Err))
	require.NotContains(t, s.Err.Error(), wrong)
	require.True(t, s.ClockKnown, "a refusal tells the time, too")

	s = Inspect(t.Context(), Connection{}, Options{}, "relaybox")
	require.Equal(t, probe.Faulty, probe.Of(s.Err))

	s = Inspect(t.Context(), Connection{Endpoint: "https://127.0.0.1:1/"}, Options{Credential: tokenless{}}, "relaybox")
	require.Equal(t, probe.NoToken, probe.Of(s.Err))

	s = Inspect(t.Context(), Connection{ConnectionString: testConnection}, Options{}, "relaybox")
	require.Equal(t, probe.NoAnswer, probe.Of(s.Err))
	require.ErrorContains(t, s.Err, "refused")
}

// The clock stands in an answer's Date, however the answer turns out.
func TestInspectSeesTheClock(t *testing.T) {
	t.Parallel()
	date := time.Now().Add(20 * time.Minute).UTC().Format(http.TimeFormat)
	_, script := scripted(reply{status: 404})
	script.accounts = []reply{{status: 401, header: map[string]string{"Date": date}}}
	s := Inspect(t.Context(), Connection{ConnectionString: testConnection}, Options{Transport: script}, "relaybox")
	require.Equal(t, probe.Unauthorized, probe.Of(s.Err))
	require.InDelta(t, 20*time.Minute, s.Ahead, float64(2*time.Second))
}

type tokenless struct{}

func (tokenless) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, context.DeadlineExceeded
}
