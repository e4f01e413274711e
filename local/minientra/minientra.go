// Package minientra is a stand-in for Microsoft Entra ID: it issues access tokens that servers of this machine check, so
// that programs sign in as they do in the cloud, with azidentity's credentials or with Credential, and no cloud is there.
//
// Promise: tokens are JWTs signed with RS256 and a key that is new for each Issuer and never leaves it. Verify accepts
// what this Issuer has signed for that audience, while it is valid, and nothing else. Any client id with any secret gets
// a token: who may sign in is not what is tried here.
package minientra

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/golang-jwt/jwt/v5"

	"github.com/relaybox/relaybox/local/hostname"
)

// Tenant is the id of the only directory.
const Tenant = "7b1999a1-dfd7-440e-8204-00170979b984"

// lifetime is how long a token is valid, as in the cloud.
const lifetime = time.Hour

const keyID = "minientra-1"

// ErrToken: a token is not accepted; the text says why, and does not repeat the token.
var ErrToken = errors.New("access token")

// Issuer signs and checks tokens. It is safe for concurrent use.
type Issuer struct {
	key *rsa.PrivateKey
	now func() time.Time
}

// New makes an issuer with a new key.
func New() (*Issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("key of the issuer: %w", err)
	}
	return &Issuer{key: key, now: time.Now}, nil
}

const issuerName = "https://login.minientra/" + Tenant + "/v2.0"

// Token signs a token for an audience: the scheme and host of a service, without a port.
func (i *Issuer) Token(client, audience string) (token string, expires time.Time, err error) {
	now := i.now()
	expires = now.Add(lifetime)
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": issuerName, "aud": audience, "tid": Tenant, "appid": client, "oid": client, "sub": client,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": expires.Unix(), "ver": "2.0",
	})
	t.Header["kid"] = keyID
	token, err = t.SignedString(i.key)
	return token, expires, err
}

// Verify tells whether a token is one of this issuer for an audience, and valid now. The error is ErrToken.
func (i *Issuer) Verify(token, audience string) error {
	_, err := jwt.Parse(token, func(t *jwt.Token) (any, error) {
		if t.Header["kid"] != keyID {
			return nil, errors.New("it was signed with another key")
		}
		return &i.key.PublicKey, nil
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(audience), jwt.WithIssuer(issuerName),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(i.now), jwt.WithLeeway(time.Minute))
	if err != nil {
		return fmt.Errorf("%w for %s: %w", ErrToken, audience, err)
	}
	return nil
}

// Credential signs in as a client without asking anybody.
func (i *Issuer) Credential(client string) azcore.TokenCredential { return credential{i, client} }

type credential struct {
	issuer *Issuer
	client string
}

// GetToken implements azcore.TokenCredential.
func (c credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	audience, err := audienceOf(o.Scopes)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	token, expires, err := c.issuer.Token(c.client, audience)
	return azcore.AccessToken{Token: token, ExpiresOn: expires}, err
}

func audienceOf(scopes []string) (string, error) {
	if len(scopes) == 0 || !strings.HasSuffix(scopes[0], "/.default") {
		return "", fmt.Errorf("the scopes are %q: ask for one that ends in /.default", scopes)
	}
	return strings.TrimSuffix(scopes[0], "/.default"), nil
}

// ServeHTTP is the authority of azidentity's credentials: the metadata, the keys, and the grant client_credentials. They
// insist on https; see the example. It answers under localhost and addresses only: anybody gets a token, web pages shall not.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !hostname.AllowNameless(w, r) {
		return
	}
	authority := "https://" + r.Host + "/" + Tenant
	switch strings.TrimPrefix(r.URL.Path, "/"+Tenant) {
	case "/v2.0/.well-known/openid-configuration":
		answer(w, http.StatusOK, map[string]any{ // clients insist on an issuer under their authority; in tokens it has one name
			"issuer": authority + "/v2.0", "token_endpoint": authority + "/oauth2/v2.0/token",
			"authorization_endpoint": authority + "/oauth2/v2.0/authorize", "jwks_uri": authority + "/discovery/v2.0/keys",
		})
	case "/discovery/v2.0/keys":
		encode := base64.RawURLEncoding.EncodeToString
		answer(w, http.StatusOK, map[string]any{"keys": []any{map[string]string{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": keyID,
			"n": encode(i.key.N.Bytes()), "e": encode(big.NewInt(int64(i.key.E)).Bytes()),
		}}})
	case "/oauth2/v2.0/token":
		i.grant(w, r)
	default:
		answer(w, http.StatusNotFound, fault("invalid_request", "There is no such endpoint; the directory is "+Tenant+"."))
	}
}

// maxForm bounds a request for a token.
const maxForm = 64 << 10

func (i *Issuer) grant(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		answer(w, http.StatusBadRequest, fault("invalid_request", "The form cannot be read."))
		return
	}
	client := r.PostForm.Get("client_id")
	audience, err := audienceOf(strings.Fields(r.PostForm.Get("scope")))
	switch {
	case r.PostForm.Get("grant_type") != "client_credentials":
		answer(w, http.StatusBadRequest, fault("unsupported_grant_type", "The only grant is client_credentials."))
	case client == "" || r.PostForm.Get("client_secret") == "" && r.PostForm.Get("client_assertion") == "":
		answer(w, http.StatusUnauthorized, fault("invalid_client", "client_id and client_secret, or client_assertion, are needed."))
	case err != nil:
		answer(w, http.StatusBadRequest, fault("invalid_scope", err.Error()))
	default:
		token, _, err := i.Token(client, audience)
		if err != nil {
			answer(w, http.StatusInternalServerError, fault("server_error", "The token cannot be signed."))
			return
		}
		answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": int(lifetime.Seconds()), "ext_expires_in": int(lifetime.Seconds()), "access_token": token})
	}
}

func fault(code, description string) map[string]string {
	return map[string]string{"error": code, "error_description": description}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}
