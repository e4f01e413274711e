package access

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/stretchr/testify/require"
)

func TestPart(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ text, part, want string }{
		"one":                {"AccountKey=a2V5", "AccountKey", "a2V5"},
		"any order and case": {"accountkey=a2V5; ENDPOINT=sb://x", "Endpoint", "sb://x"},
		"padding in a key":   {"AccountKey=a2V5MQ==;", "AccountKey", "a2V5MQ=="},
		"white space":        {"\n AccountKey=a2V5 \n;Endpoint=sb://x", "AccountKey", "a2V5"},
		"none":               {"AccountKey=a2V5", "Endpoint", ""},
		"without a value":    {"Endpoint;AccountKey=a2V5", "Endpoint", ""},
		"part of a name":     {"SharedAccessKeyName=a;SharedAccessKey=b", "SharedAccessKey", "b"},
		"twice":              {"Endpoint=sb://x;endpoint=sb://y", "Endpoint", "sb://y"},
		"empty":              {"", "Endpoint", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, Part(row.text, row.part))
		})
	}
}

func TestCheckPlace(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"", "x.servicebus.windows.net", "https://x.documents.azure.com/", "sb://x"} {
		require.NoError(t, CheckPlace(place, "a name"))
	}
	for _, text := range []string{"Endpoint=sb://x;SharedAccessKey=secret", "AccountKey=secret", "secret;"} {
		require.EqualError(t, CheckPlace(text, "a name"), "it looks like a connection string and should be a name")
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		identity Identity
		want     azcore.TokenCredential
		fault    string
	}{
		"nothing":                 {Identity{}, &azidentity.DefaultAzureCredential{}, ""},
		"managed":                 {Identity{Credential: "managedidentity"}, &azidentity.ManagedIdentityCredential{}, ""},
		"any case":                {Identity{Credential: "ManagedIdentity"}, &azidentity.ManagedIdentityCredential{}, ""},
		"client id":               {Identity{ClientID: "id"}, &azidentity.ManagedIdentityCredential{}, ""},
		"both":                    {Identity{ClientID: "id", Credential: "managedidentity"}, &azidentity.ManagedIdentityCredential{}, ""},
		"unknown":                 {Identity{Credential: "magic"}, nil, `credential "magic" is not known: use managedidentity, or leave it out`},
		"unknown, with client id": {Identity{ClientID: "id", Credential: "magic"}, nil, `credential "magic" is not known: use managedidentity, or leave it out`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if row.fault != "" {
				require.EqualError(t, row.identity.Validate(), row.fault)
				return
			}
			require.NoError(t, row.identity.Validate())
			c, err := row.identity.Open(nil)
			require.NoError(t, err)
			require.IsType(t, marked{}, c)
			require.IsType(t, row.want, c.(marked).TokenCredential)
		})
	}
}

// answering is a credential with a token, or with err.
type answering struct{ err error }

func (a answering) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t"}, a.err
}

func TestMark(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		credential azcore.TokenCredential
		fault      string
	}{
		"token":    {answering{}, ""},
		"no token": {answering{io.EOF}, "identity: EOF"},
		"marked":   {Mark(answering{io.EOF}), "identity: EOF"},
		"nobody":   {nil, "identity: no credential was given"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := Mark(row.credential).GetToken(t.Context(), policy.TokenRequestOptions{})
			if row.fault == "" {
				require.NoError(t, err)
				require.Equal(t, "t", token.Token)
				return
			}
			require.EqualError(t, err, row.fault)
			_, ok := errors.AsType[*TokenError](err)
			require.True(t, ok)
		})
	}
}

func TestGivenCredentialGoesFirst(t *testing.T) {
	t.Parallel()
	c, err := Identity{Credential: "managedidentity"}.Open(answering{io.EOF})
	require.NoError(t, err)
	require.Equal(t, marked{answering{io.EOF}}, c)
}
