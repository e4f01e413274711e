package minibus_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// requireStatus wants an answer of the service with a status and, in its body, a text.
func requireStatus(t *testing.T, err error, status int, text string) {
	t.Helper()
	fault, ok := errors.AsType[*azcore.ResponseError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, status, fault.StatusCode, "%v", err)
	body, err := io.ReadAll(fault.RawResponse.Body)
	require.NoError(t, err)
	requireRefusal(t, body, status, text)
}

func requireRefusal(t *testing.T, body []byte, status int, text string) {
	t.Helper()
	var refusal struct {
		XMLName xml.Name `xml:"Error"`
		Code    int
		Detail  string
	}
	require.NoError(t, xml.Unmarshal(body, &refusal), "%s", body)
	require.Equal(t, status, refusal.Code)
	require.Contains(t, refusal.Detail, text)
}

// sas is a token of the default policy.
func sas(resource string, expires time.Time) string {
	sr := strings.ToLower(url.QueryEscape(resource))
	mac := hmac.New(sha256.New, []byte(minibus.DefaultPolicy.Key))
	fmt.Fprintf(mac, "%s\n%d", sr, expires.Unix())
	return fmt.Sprintf("SharedAccessSignature sr=%s&sig=%s&se=%d&skn=%s", sr,
		url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))), expires.Unix(), minibus.DefaultPolicy.Name)
}

func TestAdminTokens(t *testing.T) {
	t.Parallel()
	app := minibus.Policy{Name: "app", Key: "secret", Claims: []minibus.Claim{minibus.Listen, minibus.Send}}
	bus := minibus.RunT(t, topology, func(o *minibus.Options) { o.Policies = []minibus.Policy{minibus.DefaultPolicy, app} })
	given := func(resource string, expires time.Time) string {
		return fmt.Sprintf("Endpoint=sb://%s;SharedAccessSignature=%s", bus.Addr, sas(resource, expires))
	}
	soon, past := time.Now().Add(time.Minute), time.Now().Add(-time.Minute)
	for name, c := range map[string]struct{ connection, text string }{
		"wrong key":   {minibus.Policy{Name: app.Name, Key: "wrong"}.ConnectionString(bus.Addr), "InvalidSignature"},
		"unknown key": {minibus.Policy{Name: "nobody", Key: "x"}.ConnectionString(bus.Addr), "InvalidSignature"},
		"expired":     {given("sb://"+bus.Addr, past), "ExpiredToken: The token is expired. Expiration time:"},
		"other queue": {given("sb://"+bus.Addr+"/other", soon), "InvalidAudience"},
		"longer name": {given("sb://"+bus.Addr+"/plai", soon), "InvalidAudience"},
		"no Manage":   {app.ConnectionString(bus.Addr), "Manage,EntityRead claims required for this operation"},
	} {
		_, err := administer(t, bus, c.connection).GetQueue(t.Context(), "plain", nil)
		require.Error(t, err, name)
		requireStatus(t, err, http.StatusUnauthorized, c.text)
	}
	for _, resource := range []string{"sb://" + bus.Addr, "https://any.servicebus.windows.net/PLAIN/", "any.servicebus.windows.net", "http://any/plain?x=y"} {
		q, err := administer(t, bus, given(resource, soon)).GetQueue(t.Context(), "plain", nil)
		require.NoError(t, err, resource)
		require.NotNil(t, q)
	}
	scoped := administer(t, bus, given("sb://"+bus.Addr+"/events", soon))
	s, err := scoped.GetSubscription(t.Context(), "events", "all", nil)
	require.NoError(t, err)
	require.NotNil(t, s, "a token for a topic is good for what is below it")
	_, err = scoped.NewListTopicsPager(nil).NextPage(t.Context())
	requireStatus(t, err, http.StatusUnauthorized, "InvalidAudience")
}

// The texts are the service's: the SDK's own live tests look for them.
func TestAdminWithoutManage(t *testing.T) {
	t.Parallel()
	app := minibus.Policy{Name: "app", Key: "secret", Claims: []minibus.Claim{minibus.Listen, minibus.Send}}
	bus := minibus.RunT(t, topology, func(o *minibus.Options) { o.Policies = []minibus.Policy{app} })
	c := administer(t, bus, app.ConnectionString(bus.Addr))
	refused := func(err error, text string) {
		t.Helper()
		requireStatus(t, err, http.StatusUnauthorized, text)
	}
	q, err := c.GetQueue(t.Context(), "nowhere", nil)
	require.NoError(t, err)
	require.Nil(t, q)
	_, err = c.NewListQueuesPager(nil).NextPage(t.Context())
	refused(err, "Manage,EntityRead claims required for this operation")
	_, err = c.GetNamespaceProperties(t.Context(), nil)
	refused(err, "Manage,EntityRead claims required for this operation")
	_, err = c.CreateQueue(t.Context(), "new", nil)
	refused(err, "Authorization failed for specified action: Manage,EntityWrite")
	_, err = c.DeleteQueue(t.Context(), "plain", nil)
	refused(err, "Authorization failed for specified action: Manage,EntityDelete.")
	_, err = c.GetSubscription(t.Context(), "events", "nobody", nil)
	refused(err, "401 SubCode=40100: Unauthorized : Unauthorized access for 'GetSubscription'")
	_, err = c.NewListSubscriptionsPager("events", nil).NextPage(t.Context())
	refused(err, "401 SubCode=40100: Unauthorized : Unauthorized access for 'EnumerateSubscriptions' operation")
	_, err = c.CreateSubscription(t.Context(), "events", "new", nil)
	refused(err, "401 SubCode=40100: Unauthorized : Unauthorized access for 'CreateOrUpdateSubscription'")
	_, err = c.DeleteSubscription(t.Context(), "events", "all", nil)
	refused(err, "401 SubCode=40100: Unauthorized : Unauthorized access for 'DeleteSubscription'")
}

type anyToken struct{}

func (anyToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "e30.e30.", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func TestAdminBearer(t *testing.T) {
	t.Parallel()
	for _, accept := range []bool{false, true} {
		bus := minibus.RunT(t, topology, func(o *minibus.Options) { o.AcceptJWT = accept })
		c, err := admin.NewClient(bus.Addr, anyToken{}, &admin.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: plainly{bus.AdminAddr}}})
		require.NoError(t, err)
		_, err = c.GetQueue(t.Context(), "plain", nil)
		if accept {
			require.NoError(t, err)
		} else {
			requireStatus(t, err, http.StatusUnauthorized, "InvalidToken")
		}
	}
}

// ask sends a request as it is, with a good token unless it brings one of its own.
func ask(t *testing.T, bus *minibus.Instance, method, path string, header http.Header) (int, http.Header, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+bus.AdminAddr, nil)
	require.NoError(t, err)
	r.URL.Opaque = path // not made clean
	if header == nil {
		header = http.Header{"Authorization": {sas("http://"+bus.AdminAddr, time.Now().Add(time.Minute))}}
	}
	r.Header = header
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header, body
}

func TestAdminMalformedRequests(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	for _, c := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", "/a//b", 400, "no path of an entity"},
		{"GET", "/events/Subscriptions//Rules", 400, "no path of an entity"},
		{"GET", "/a%00b", 400, "no path of an entity"},
		{"GET", "/" + strings.Repeat("x", 1025), 400, "no path of an entity"},
		{"GET", "/$Resources/relays", 404, "$Resources/queues"},
		{"GET", "/$Resources/queues?$top=0", 400, "$top is '0'"},
		{"GET", "/$Resources/queues?$top=ten", 400, "$top is 'ten'"},
		{"GET", "/$Resources/queues?$skip=-1", 400, "$skip is '-1'"},
		{"GET", "/$Resources/queues?$skip=99999999999999999999", 400, "$skip is"},
		{"GET", "/$Resources/queues?%zz", 400, "query cannot be read"},
		{"GET", "/events/Subscriptions/a/Rules/", 404, "could not be found"},
		{"POST", "/plain", 405, "Use one of DELETE, GET, HEAD, PUT"},
		{"PATCH", "/plain", 405, "Use one of"},
	} {
		status, header, body := ask(t, bus, c.method, c.path, nil)
		require.Equal(t, c.status, status, "%s %s: %s", c.method, c.path, body)
		require.Equal(t, "application/xml; charset=utf-8", header.Get("Content-Type"))
		requireRefusal(t, body, c.status, c.text)
		require.Equal(t, c.status == 405, header.Get("Allow") != "")
	}
	_, err := administer(t, bus, bus.ConnectionString()).GetQueue(t.Context(), "/plain", nil)
	requireStatus(t, err, http.StatusBadRequest, "no path of an entity")
	status, _, body := ask(t, bus, "GET", "/plain", http.Header{})
	require.Equal(t, http.StatusUnauthorized, status)
	requireRefusal(t, body, status, "MissingToken")
	status, _, body = ask(t, bus, "GET", "/plain", http.Header{"Authorization": {"SharedAccessSignature " + strings.Repeat("&", 1000) + "sr=%"}})
	require.Equal(t, http.StatusUnauthorized, status)
	requireRefusal(t, body, status, "InvalidSignature")
	for _, path := range []string{"/", "/..", "/nowhere/../plain"} {
		status, _, body = ask(t, bus, "GET", path, nil)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, string(body), ">Publicly Listed Services<", path)
	}
	status, header, body := ask(t, bus, "HEAD", "/plain", nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "application/atom+xml;type=entry;charset=utf-8", header.Get("Content-Type"))
	require.Empty(t, body)
}

func TestAdminHugeHeaders(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	conn, err := net.Dial("tcp", bus.AdminAddr)
	require.NoError(t, err)
	var writing sync.WaitGroup
	defer writing.Wait()
	defer conn.Close()
	writing.Go(func() { // until the server has had enough
		_, err := io.WriteString(conn, "GET /plain HTTP/1.1\r\nHost: x\r\nX: ")
		for line := strings.Repeat("x", 4096); err == nil; {
			_, err = io.WriteString(conn, line)
		}
	})
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	answer, _ := io.ReadAll(conn) // it may also be cut
	require.NotContains(t, string(answer), "200 OK")
	status, _, _ := ask(t, bus, "GET", "/plain", nil)
	require.Equal(t, http.StatusOK, status, "others are served")
}

func TestAdminHealth(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, func(o *minibus.Options) { o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "health"}}} })
	status, header, body := ask(t, bus, "GET", "/health", http.Header{})
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "application/json", header.Get("Content-Type"))
	require.JSONEq(t, `{"status":"healthy"}`, string(body))
	status, _, _ = ask(t, bus, "DELETE", "/health", http.Header{})
	require.Equal(t, http.StatusMethodNotAllowed, status)
	q, err := administer(t, bus, bus.ConnectionString()).GetQueue(t.Context(), "health", nil)
	require.NoError(t, err)
	require.NotNil(t, q.LockDuration, "with a token it is the queue")
}

func TestServeAdminAfterClose(t *testing.T) {
	t.Parallel()
	s, err := minibus.Open(minibus.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	l := listen(t)
	require.NoError(t, s.ServeAdmin(l))
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}
