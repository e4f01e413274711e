package minicosmos

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minientra"
)

// signed builds a request as azcosmos signs it, independently of the server's code.
func signed(t testing.TB, method, target, resourceType, link string, body io.Reader, at time.Time) *http.Request {
	t.Helper()
	date := strings.ToLower(at.UTC().Format(http.TimeFormat))
	secret, err := base64.StdEncoding.DecodeString(EmulatorKey)
	require.NoError(t, err)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(strings.Join([]string{strings.ToLower(method), resourceType, link, date, "", ""}, "\n")))
	r := httptest.NewRequest(method, target, body)
	r.Header.Set("x-ms-date", at.UTC().Format(http.TimeFormat))
	r.Header.Set("Authorization", url.QueryEscape("type=master&ver=1.0&sig="+base64.StdEncoding.EncodeToString(mac.Sum(nil))))
	return r
}

// serve answers one request without a network.
func serve(s *Server, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	s := RunT(t)
	now := time.Now()
	ok := func() *http.Request { return signed(t, "GET", "/dbs", "dbs", "", nil, now) }
	require.Equal(t, http.StatusOK, serve(s.Server, ok()).Code)
	for name, spoil := range map[string]func(*http.Request) *http.Request{
		"no header": func(r *http.Request) *http.Request { r.Header.Del("Authorization"); return r },
		"no date":   func(r *http.Request) *http.Request { r.Header.Del("x-ms-date"); return r },
		"another date": func(r *http.Request) *http.Request {
			r.Header.Set("x-ms-date", now.Add(time.Second).UTC().Format(http.TimeFormat))
			return r
		},
		"another verb":     func(r *http.Request) *http.Request { r.Method = "POST"; return r },
		"another resource": func(r *http.Request) *http.Request { r.URL.Path = "/dbs/x"; return r },
		"not a date":       func(r *http.Request) *http.Request { r.Header.Set("x-ms-date", "yesterday"); return r },
		"a bearer token": func(r *http.Request) *http.Request {
			r.Header.Set("Authorization", "type=aad&ver=1.0&sig=a.b.c")
			return r
		},
		"a bad escape": func(r *http.Request) *http.Request { r.Header.Set("Authorization", "type%3"); return r },
		"an empty signature": func(r *http.Request) *http.Request {
			r.Header.Set("Authorization", "type=master&ver=1.0&sig=")
			return r
		},
		"too late": func(*http.Request) *http.Request {
			return signed(t, "GET", "/dbs", "dbs", "", nil, now.Add(-16*time.Minute))
		},
		"too early": func(*http.Request) *http.Request {
			return signed(t, "GET", "/dbs", "dbs", "", nil, now.Add(16*time.Minute))
		},
		"a link in lower case": func(*http.Request) *http.Request { return signed(t, "GET", "/dbs/DB", "dbs", "dbs/db", nil, now) },
	} {
		w := serve(s.Server, spoil(ok()))
		require.Equal(t, http.StatusUnauthorized, w.Code, name)
		requireShape(t, w, "Unauthorized")
	}
	within := signed(t, "GET", "/dbs", "dbs", "", nil, now.Add(-14*time.Minute))
	require.Equal(t, http.StatusOK, serve(s.Server, within).Code)

	other := RunT(t, func(o *Options) { o.Key = base64.StdEncoding.EncodeToString([]byte("another key")) })
	require.Equal(t, http.StatusUnauthorized, serve(other.Server, ok()).Code)
	_, err := Open(Options{Key: "not base64!"})
	require.Error(t, err)
}

// requireShape checks that a refusal is one of the service's.
func requireShape(t testing.TB, w *httptest.ResponseRecorder, code string) {
	t.Helper()
	var e struct{ Code, Message string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &e), w.Body)
	require.Equal(t, code, e.Code)
	require.NotEmpty(t, e.Message)
}

func TestHostileRequests(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	send := func(method, target, resourceType, link, body string, headers ...string) *httptest.ResponseRecorder {
		r := signed(t, method, target, resourceType, link, bytes.NewBufferString(body), time.Now())
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return serve(s.Server, r)
	}
	docs := func(body string, headers ...string) *httptest.ResponseRecorder {
		return send("POST", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", body, headers...)
	}
	const key, query = "x-ms-documentdb-partitionkey", "x-ms-documentdb-query"
	for name, test := range map[string]struct {
		answer *httptest.ResponseRecorder
		status int
	}{
		"unknown resource":      {send("GET", "/sprocs", "", "", ""), 400},
		"path above the root":   {send("GET", "/dbs/../../etc", "dbs", "dbs/..", ""), 400},
		"escaped slash":         {send("GET", "/dbs/a%2Fb", "dbs", "dbs/a/b", ""), 404},
		"control in a db id":    {send("POST", "/dbs", "dbs", "", `{"id":"a\u0000b"}`), 400},
		"slash in a db id":      {send("POST", "/dbs", "dbs", "", `{"id":"a/b"}`), 400},
		"no partition key":      {docs(`{"id":"1"}`), 400},
		"partition key no JSON": {docs(`{"id":"1","pk":"a"}`, key, `a`), 400},
		"partition key object":  {docs(`{"id":"1","pk":"a"}`, key, `[{"a":1}]`), 400},
		"partition key nested":  {docs(`{"id":"1","pk":"a"}`, key, strings.Repeat("[", 5000)), 400},
		"empty body":            {docs(``, key, `["a"]`), 400},
		"batch not atomic":      {docs(`[]`, key, `["a"]`, "x-ms-cosmos-is-batch-request", "True"), 400},
		"empty batch":           {docs(`[]`, key, `["a"]`, "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True"), 400},
		"query without text":    {docs(`{}`, query, "True"), 400},
		"query nested":          {docs(`{"query":"SELECT `+strings.Repeat("(", 100000)+`"}`, query, "True"), 400},
		"query not negated":     {docs(`{"query":"SELECT `+strings.Repeat("NOT ", 100000)+`1"}`, query, "True"), 400},
		"page below zero":       {docs(`{"query":"SELECT 1"}`, query, "True", "x-ms-max-item-count", "-2"), 400},
		"no such range":         {docs(`{"query":"SELECT 1"}`, query, "True", "x-ms-documentdb-partitionkeyrangeid", "7"), 410},
		"body over 2 MB":        {docs(strings.Repeat(" ", 2<<20+1), key, `["a"]`), 413},
		"change feed token":     {send("GET", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", "", "A-IM", "Incremental Feed", "If-None-Match", `"x"`), 400},
		"change feed mode":      {send("GET", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", "", "A-IM", "Full-Fidelity Feed"), 400},
		"change feed end":       {send("GET", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", "", "A-IM", "Incremental feed", "If-None-Match", `"18446744073709551615"`), 400},
		"change feed time":      {send("GET", "/dbs/db/colls/c/docs", "docs", "dbs/db/colls/c", "", "A-IM", "Incremental Feed", "If-Modified-Since", "now"), 400},
		"session token":         {docs(`{"query":"SELECT 1 FROM c"}`, query, "True", key, `["a"]`, "x-ms-session-token", "0:0#x"), 400},
		"key range":             {docs(`{"query":"SELECT 1 FROM c"}`, query, "True", "x-ms-start-epk", "../", "x-ms-end-epk", "FF"), 400},
		"offer":                 {send("POST", "/dbs", "dbs", "", `{"id":"o"}`, "x-ms-offer-throughput", "401"), 400},
		"no such offer":         {send("GET", "/offers/x", "offers", "x", ""), 404},
		"method":                {send("PUT", "/dbs", "dbs", "", "{}"), 405},
	} {
		require.Equal(t, test.status, test.answer.Code, "%s: %s", name, test.answer.Body)
		var e struct{ Code, Message string }
		require.NoError(t, json.Unmarshal(test.answer.Body.Bytes(), &e), name)
		require.NotEmpty(t, e.Code, name)
	}
	require.Equal(t, http.StatusOK, docs(`{"query":"SELECT VALUE 1"}`, query, "True").Code)
}

// Access tokens are let in where an issuer is trusted, for this server's name and nobody else's.
func TestAccessTokens(t *testing.T) {
	t.Parallel()
	issuer, err := minientra.New()
	require.NoError(t, err)
	trusting, _ := startContainer(t, outboxLike("c"), func(o *Options) { o.Verifier = issuer })
	alone, _ := startContainer(t, outboxLike("c"))
	read := func(s *Instance, credential azcore.TokenCredential) error {
		client, err := azcosmos.NewClient(s.URL, credential, &azcosmos.ClientOptions{ClientOptions: azcore.ClientOptions{Retry: azpolicy.RetryOptions{MaxRetries: -1}}})
		require.NoError(t, err)
		c, err := client.NewContainer("db", "c")
		require.NoError(t, err)
		_, err = c.UpsertItem(t.Context(), pk("a"), doc(t, m{"id": "1", "pk": "a"}), nil)
		return err
	}
	require.NoError(t, read(trusting, issuer.Credential("app")))
	require.ErrorContains(t, read(alone, issuer.Credential("app")), "Options.Verifier")
	other, err := minientra.New()
	require.NoError(t, err)
	require.ErrorContains(t, read(trusting, other.Credential("app")), "not accepted")

	encode := base64.RawURLEncoding.EncodeToString
	own := func(key string, expires time.Time) int {
		r := signed(t, "GET", "/dbs", "dbs", "", nil, time.Now())
		claims := fmt.Sprintf(`{"nbf":%d,"exp":%d}`, time.Now().Unix(), expires.Unix())
		r.Header.Set("Authorization", "type=aad&ver=1.0&sig="+encode([]byte(`{}`))+"."+encode([]byte(claims))+"."+encode([]byte(key)))
		return serve(alone.Server, r).Code
	}
	require.Equal(t, 200, own(EmulatorKey, time.Now().Add(time.Hour)))
	require.Equal(t, 401, own(EmulatorKey, time.Now().Add(-time.Hour)))
	require.Equal(t, 401, own("", time.Now().Add(time.Hour)))
	require.Equal(t, 401, own(EmulatorKey[:20], time.Now().Add(time.Hour)))
}

// FuzzAuthorization: whatever stands in the header, nobody is let in and nothing breaks.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"", "type=master&ver=1.0&sig=", "type%3Dmaster%26ver%3D1.0%26sig%3DAAAA", "type=aad&ver=1.0&sig=a.b.c", "type=aad&ver=1.0&sig=e30.e30.", "%", "&&==&=", "type=aad&ver=1.0&sig=" + strings.Repeat(".", 500)} {
		f.Add(seed)
	}
	s := RunT(f)
	f.Fuzz(func(t *testing.T, header string) {
		r := signed(t, "GET", "/dbs", "dbs", "", nil, time.Now())
		r.Header.Set("Authorization", header)
		w := serve(s.Server, r)
		require.Equal(t, http.StatusUnauthorized, w.Code)
		requireShape(t, w, "Unauthorized")
	})
}
