package storage

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/probe"
)

func TestAsk(t *testing.T) {
	t.Parallel()
	const key = "AccountName=box;AccountKey=a2V5"
	for name, row := range map[string]struct {
		conn   Connection
		status int
		url    string
		want   error
	}{
		"ours":         {Connection{ConnectionString: key}, 200, "https://box.blob.core.windows.net/azure-webjobs-hosts", nil},
		"not used yet": {Connection{ConnectionString: key}, 404, "https://box.blob.core.windows.net/azure-webjobs-hosts", nil},
		"wrong key":    {Connection{ConnectionString: key}, 403, "https://box.blob.core.windows.net/azure-webjobs-hosts", &probe.Error{Verdict: probe.Forbidden}},
		"azurite":      {Connection{ConnectionString: "UseDevelopmentStorage=true"}, 200, "http://127.0.0.1:10000/devstoreaccount1/azure-webjobs-hosts", nil},
		"identity":     {Connection{AccountName: "box"}, 200, "https://box.blob.core.windows.net/azure-webjobs-hosts", nil},
		"by uri":       {Connection{BlobURI: "https://box.blob.core.example/"}, 200, "https://box.blob.core.example/azure-webjobs-hosts", nil},
		"unreadable":   {Connection{ConnectionString: "secret"}, 0, "", &probe.Error{Verdict: probe.Faulty}},
		"nothing":      {Connection{}, 0, "", &probe.Error{Verdict: probe.Faulty}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := ""
			_, err := Ask(t.Context(), row.conn, Options{Credential: token("t"), Transport: answering(func(r *http.Request) *http.Response {
				asked = r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
				return &http.Response{StatusCode: row.status, Body: http.NoBody, Header: http.Header{}, Request: r}
			})})
			require.Equal(t, row.url, asked)
			if row.want == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, probe.Of(row.want), probe.Of(err))
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestAskWithoutAToken(t *testing.T) {
	t.Parallel()
	_, err := Ask(t.Context(), Connection{AccountName: "box"}, Options{Credential: token("")})
	require.Equal(t, probe.NoToken, probe.Of(err))
}

func TestSecret(t *testing.T) {
	t.Parallel()
	require.True(t, Connection{ConnectionString: "AccountName=box;AccountKey=a2V5"}.Secret())
	for _, c := range []Connection{{}, {ConnectionString: "UseDevelopmentStorage=true"}, {AccountName: "box"}, {ConnectionString: developmentStorage}} {
		require.False(t, c.Secret())
	}
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
