package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/azure/probe"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/local/minibus"
)

// running is a bus with its administration interface.
func running(t *testing.T, policies ...minibus.Policy) (conn servicebus.Connection, addr string) {
	t.Helper()
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Policies = append(o.Policies, minibus.DefaultPolicy)
		o.Policies = append(o.Policies, policies...)
		o.Config = &minibus.Config{Topics: []minibus.Topic{{
			Name: "events", DefaultMessageTimeToLive: 48 * time.Hour,
			RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: 5 * time.Minute,
			Subscriptions: []minibus.Subscription{
				{Name: "all", RequiresSession: true, MaxDeliveryCount: 10, LockDuration: 30 * time.Second, DeadLetteringOnMessageExpiration: true},
				{Name: "some", Rules: []minibus.Rule{{Name: "ada", Correlation: &minibus.CorrelationFilter{Label: "ada"}}}},
			},
		}}}
	})
	return servicebus.Connection{ConnectionString: bus.ConnectionString()}, bus.AdminAddr
}

func TestInspect(t *testing.T) {
	t.Parallel()
	conn, addr := running(t)
	s := Inspect(t.Context(), conn, Options{Addr: addr}, "events", "all")
	require.NoError(t, errors.Join(s.NamespaceErr, s.TopicErr, s.SubscriptionErr, s.RulesErr))
	require.NotEmpty(t, s.Namespace.SKU)
	require.True(t, s.ClockKnown)
	require.Zero(t, s.Ahead)

	topic := s.Topic
	require.True(t, topic.DuplicateDetection)
	require.Equal(t, 5*time.Minute, topic.DuplicateWindow)
	require.Equal(t, 48*time.Hour, topic.TimeToLive)
	require.Equal(t, Forever, topic.AutoDelete)
	require.True(t, topic.Ordered)
	require.False(t, topic.Partitioned)
	require.Equal(t, "Active", topic.Status)

	sub := s.Subscription
	require.True(t, sub.Sessions)
	require.Equal(t, 10, sub.MaxDeliveryCount)
	require.Equal(t, 30*time.Second, sub.LockDuration)
	require.Equal(t, Forever, sub.AutoDelete)
	require.True(t, sub.DeadLetterLate)
	require.Empty(t, sub.ForwardTo)
	require.Equal(t, []Rule{{Name: "$Default", Filter: TrueFilter}}, s.Rules)

	s = Inspect(t.Context(), conn, Options{Addr: addr}, "events", "some")
	require.Equal(t, []Rule{{Name: "ada", Filter: CorrelationFilter}}, s.Rules)
}

func TestInspectWhatIsMissing(t *testing.T) {
	t.Parallel()
	conn, addr := running(t)
	s := Inspect(t.Context(), conn, Options{Addr: addr}, "none", "all")
	require.Equal(t, probe.Missing, probe.Of(s.TopicErr))
	require.Equal(t, probe.Missing, probe.Of(s.SubscriptionErr))
	s = Inspect(t.Context(), conn, Options{Addr: addr}, "events", "none")
	require.NoError(t, s.TopicErr)
	require.Equal(t, probe.Missing, probe.Of(s.SubscriptionErr))
}

func TestInspectNeedsManage(t *testing.T) {
	t.Parallel()
	app := minibus.Policy{Name: "app", Key: "a2V5", Claims: []minibus.Claim{minibus.Send, minibus.Listen}}
	conn, addr := running(t, app)
	conn.ConnectionString = strings.Replace(conn.ConnectionString, "SharedAccessKeyName="+minibus.DefaultPolicy.Name+";SharedAccessKey="+minibus.DefaultPolicy.Key, "SharedAccessKeyName=app;SharedAccessKey=a2V5", 1)
	s := Inspect(t.Context(), conn, Options{Addr: addr}, "events", "all")
	require.Equal(t, probe.Unauthorized, probe.Of(s.TopicErr))
	require.NoError(t, Attach(t.Context(), conn, nil, "events"), "sending needs less")
}

func TestAttach(t *testing.T) {
	t.Parallel()
	conn, _ := running(t)
	require.NoError(t, Attach(t.Context(), conn, nil, "events"))
	require.Equal(t, probe.Missing, probe.Of(Attach(t.Context(), conn, nil, "none")))

	wrong := servicebus.Connection{ConnectionString: strings.Replace(conn.ConnectionString, minibus.DefaultPolicy.Key, "other", 1)}
	err := Attach(t.Context(), wrong, nil, "events")
	require.Equal(t, probe.Unauthorized, probe.Of(err))

	dead := servicebus.Connection{ConnectionString: "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true;"}
	require.Equal(t, probe.NoAnswer, probe.Of(Attach(t.Context(), dead, nil, "events")))

	require.Equal(t, probe.Faulty, probe.Of(Attach(t.Context(), servicebus.Connection{}, nil, "events")))

	tokenless := judgeAttach(fmt.Errorf("attach: %w", &access.TokenError{Err: errors.New("nobody is signed in")}))
	require.Equal(t, probe.NoToken, probe.Of(tokenless))
	require.EqualError(t, tokenless, "nobody is signed in")
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	conn := servicebus.Connection{Namespace: "here.servicebus.windows.net"}
	var asked sync.Map
	s := Inspect(t.Context(), conn, Options{Credential: token("t"), Transport: answering(func(r *http.Request) *http.Response {
		asked.Store(r.URL.Scheme+"://"+r.URL.Host, true)
		return &http.Response{StatusCode: http.StatusUnauthorized, Body: http.NoBody, Header: http.Header{}, Request: r}
	})}, "events", "")
	require.Equal(t, probe.Unauthorized, probe.Of(s.TopicErr))
	asked.Range(func(at, _ any) bool {
		require.Equal(t, "https://here.servicebus.windows.net", at, "Azure is asked where it is")
		return true
	})

	s = Inspect(t.Context(), conn, Options{Credential: token("")}, "events", "")
	require.Equal(t, probe.NoToken, probe.Of(s.TopicErr))
}

type answering func(*http.Request) *http.Response

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

// token is a credential; "" has none.
type token string

func (t token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if t == "" {
		return azcore.AccessToken{}, errors.New("nobody is signed in")
	}
	return azcore.AccessToken{Token: string(t), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"PT20S": 20 * time.Second, "PT10M": 10 * time.Minute, "PT1H": time.Hour, "P1D": 24 * time.Hour,
		"P14DT1H2M3.5S": 14*24*time.Hour + time.Hour + 2*time.Minute + 3500*time.Millisecond,
		"PT0S":          0, "P10675199DT2H48M5.4775807S": Forever, "P999999999999999999999D": Forever,
	} {
		got, err := ParseDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "P", "PT", "1D", "P1M", "PT1D", "P1DT", "PT-1S", "PT1H "} {
		_, err := ParseDuration(text)
		require.Error(t, err, text)
	}
}
