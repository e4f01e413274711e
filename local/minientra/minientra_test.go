package minientra

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

const audience = "http://127.0.0.1"

func issuer(t *testing.T) *Issuer {
	t.Helper()
	i, err := New()
	require.NoError(t, err)
	return i
}

func TestVerify(t *testing.T) {
	t.Parallel()
	i := issuer(t)
	good, _, err := i.Token("app", audience)
	require.NoError(t, err)
	require.NoError(t, i.Verify(good, audience))

	forged := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		claims := jwt.MapClaims{"iss": issuerName, "aud": audience, "exp": time.Now().Add(time.Hour).Unix(), "nbf": time.Now().Unix()}
		change(claims)
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = keyID
		text, err := token.SignedString(key)
		require.NoError(t, err)
		return text
	}
	nothing := func(jwt.MapClaims) {}
	set := func(name string, v any) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c[name] = v } }
	other, _, err := issuer(t).Token("app", audience)
	require.NoError(t, err)
	public := x509.MarshalPKCS1PublicKey(&i.key.PublicKey)
	for name, c := range map[string]struct{ token, why string }{
		"nothing":               {"", "malformed"},
		"no JWT":                {"a.b.c", "malformed"},
		"another issuer's key":  {other, "signature is invalid"},
		"alg none":              {forged(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nothing), "signing method none is invalid"},
		"the public key as one": {forged(jwt.SigningMethodHS256, public, nothing), "signing method HS256 is invalid"},
		"another audience":      {forged(jwt.SigningMethodRS256, i.key, set("aud", "http://example.com")), "invalid audience"},
		"no audience":           {forged(jwt.SigningMethodRS256, i.key, func(c jwt.MapClaims) { delete(c, "aud") }), "aud claim is required"},
		"another issuer":        {forged(jwt.SigningMethodRS256, i.key, set("iss", "https://example.com")), "invalid issuer"},
		"expired":               {forged(jwt.SigningMethodRS256, i.key, set("exp", time.Now().Add(-2*time.Minute).Unix())), "token is expired"},
		"for ever":              {forged(jwt.SigningMethodRS256, i.key, func(c jwt.MapClaims) { delete(c, "exp") }), "exp claim is required"},
		"not yet":               {forged(jwt.SigningMethodRS256, i.key, set("nbf", time.Now().Add(2*time.Minute).Unix())), "not valid yet"},
		"changed":               {good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 342), "signature is invalid"},
	} {
		err := i.Verify(c.token, audience)
		require.ErrorIs(t, err, ErrToken, name)
		require.ErrorContains(t, err, c.why, name)
		if len(c.token) > 10 {
			require.NotContains(t, err.Error(), c.token[len(c.token)-10:], name)
		}
	}
}

// TestNoWebPageSignsIn: a page whose name resolves to this machine gets no token.
func TestNoWebPageSignsIn(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(issuer(t))
	t.Cleanup(s.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/"+Tenant+"/discovery/v2.0/keys", nil)
	require.NoError(t, err)
	for host, want := range map[string]int{"": http.StatusOK, "evil.example": http.StatusForbidden} {
		r.Host = host
		answer, err := s.Client().Do(r)
		require.NoError(t, err)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, errors.Join(err, answer.Body.Close()))
		require.Equal(t, want, answer.StatusCode, host)
		require.NotContains(t, string(text), "--allow-host", "nobody starts it with that")
		if want == http.StatusForbidden {
			require.Contains(t, string(text), "call it localhost or by its address.")
		}
	}
}

// A real credential signs in over https.
func TestClientSecretCredential(t *testing.T) {
	t.Parallel()
	i := issuer(t)
	s := httptest.NewTLSServer(i)
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	t.Cleanup(trusting.CloseIdleConnections)
	credential, err := azidentity.NewClientSecretCredential(Tenant, "app", "secret", &azidentity.ClientSecretCredentialOptions{
		ClientOptions: azcore.ClientOptions{
			Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: s.URL},
			Transport: trusting,
		},
		DisableInstanceDiscovery: true,
	})
	require.NoError(t, err)
	got, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{audience + "/.default"}})
	require.NoError(t, err)
	require.NoError(t, i.Verify(got.Token, audience))
	require.WithinDuration(t, time.Now().Add(lifetime), got.ExpiresOn, time.Minute)

	_, err = credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"openid"}})
	require.ErrorContains(t, err, "/.default")
	for body, code := range map[string]string{
		"grant_type=password":                                                     "unsupported_grant_type",
		"grant_type=client_credentials&scope=a/.default":                          "invalid_client",
		"grant_type=client_credentials&client_id=a&client_secret=b":               "invalid_scope",
		"grant_type=client_credentials&client_id=" + strings.Repeat("a", maxForm): "invalid_request",
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/"+Tenant+"/oauth2/v2.0/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		i.ServeHTTP(w, r)
		require.GreaterOrEqual(t, w.Code, 400)
		require.Contains(t, w.Body.String(), code)
	}
	keys := httptest.NewRecorder()
	i.ServeHTTP(keys, httptest.NewRequest(http.MethodGet, "/"+Tenant+"/discovery/v2.0/keys", nil))
	require.Contains(t, keys.Body.String(), keyID)
}
