package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"
)

// cloud answers HTTP requests as services in Azure do; its clock is its own.
type cloud struct {
	ahead  time.Duration
	answer func(*http.Request) (status int, body string)
}

func (c cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := c.answer(r)
	h := http.Header{"Date": {time.Now().Add(c.ahead).UTC().Format(http.TimeFormat)}}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// examined is what doctor says of an app in Azure.
func examined(t *testing.T, c cloud, credential azcore.TokenCredential) Report {
	t.Helper()
	values := inAzure()
	values["SERVICEBUS_CONNECTION__fullyQualifiedNamespace"] = "localhost" // nothing speaks AMQP over TLS here
	var list []map[string]string
	for name, value := range values {
		list = append(list, map[string]string{"name": name, "value": value})
	}
	text, err := json.Marshal(list)
	require.NoError(t, err)
	file := t.TempDir() + "/settings.json"
	write(t, file, string(text))
	r := Run(t.Context(), Options{Settings: file, App: assembled(t), Environment: map[string]string{}, Timeout: 20 * time.Second, Transport: c, Credential: credential})
	require.NoError(t, r.Print(t.Output(), false))
	return r
}

func TestWhoeverMayNotReadIsToldTheRole(t *testing.T) {
	t.Parallel()
	r := examined(t, cloud{answer: func(*http.Request) (int, string) { return http.StatusForbidden, "{}" }}, signedIn{})
	for subject, role := range map[string]string{
		"account": "Cosmos DB Built-in Data Reader", "topic and subscription": "Azure Service Bus Data Owner", "AzureWebJobsStorage": "Storage Blob Data Reader",
	} {
		f := r.of(subject)[0]
		require.Equal(t, Unknown, f.Status, subject)
		require.Contains(t, f.Remedy, role)
	}
}

func TestWhoeverIsNotSignedInIsToldHow(t *testing.T) {
	t.Parallel()
	r := examined(t, cloud{answer: func(*http.Request) (int, string) { return http.StatusOK, "{}" }}, tokenless{errors.New("DefaultAzureCredential failed\nEnvironmentCredential: …")})
	for _, subject := range []string{"account", "topic and subscription", "AzureWebJobsStorage"} {
		f := r.of(subject)[0]
		require.Equal(t, Unknown, f.Status, subject)
		require.Contains(t, f.Remedy, "az login", subject)
	}
}

func TestAClockThatIsOffIsRefused(t *testing.T) {
	t.Parallel()
	r := examined(t, cloud{ahead: 7 * time.Minute, answer: func(*http.Request) (int, string) { return http.StatusUnauthorized, "{}" }}, signedIn{})
	clocks := r.of("clock")
	require.Len(t, clocks, 2, "the account's and the namespace's")
	for _, f := range clocks {
		require.Equal(t, Refused, f.Status)
		require.Contains(t, f.Found, "ahead of ours")
		require.Contains(t, f.Remedy, "NTP")
	}
}

// In Azure nobody but the infrastructure makes what is missing.
func TestWhatIsMissingInAzureIsRefused(t *testing.T) {
	t.Parallel()
	const location = `[{"name":"West Europe","databaseAccountEndpoint":"https://box.documents.azure.com/"},{"name":"North Europe","databaseAccountEndpoint":"https://box.documents.azure.com/"}]`
	r := examined(t, cloud{answer: func(q *http.Request) (int, string) {
		switch {
		case strings.HasPrefix(q.URL.Host, "box.documents") && strings.Trim(q.URL.Path, "/") == "":
			return http.StatusOK, `{"readableLocations":` + location + `,"writableLocations":` + location + `,"enableMultipleWriteLocations":true,"userConsistencyPolicy":{"defaultConsistencyLevel":"Session"}}`
		case q.URL.Path == "/dbs/relaybox":
			return http.StatusOK, `{"id":"relaybox"}`
		}
		return http.StatusNotFound, "{}"
	}}, signedIn{})
	for subject, remedy := range map[string]string{
		"container entities": "infra/bicep", "container views": "infra/bicep", "topic entity-events": "infra/bicep", "write region": "enableMultipleWriteLocations",
	} {
		list := r.of(subject)
		require.NotEmpty(t, list, subject)
		require.Equal(t, Refused, list[0].Status, subject)
		require.Contains(t, list[0].Remedy, remedy)
	}
	require.Equal(t, OK, r.of("AzureWebJobsStorage")[0].Status, "the host makes its container")
}

type signedIn struct{}

func (signedIn) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}
