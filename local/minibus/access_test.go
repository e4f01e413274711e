package minibus_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

func TestUnknownEntity(t *testing.T) {
	t.Parallel()
	c := connect(t, runT(t, topology).ConnectionString())
	started := time.Now()
	requireCode(t, sender(t, c, "nowhere").SendMessage(t.Context(), &azservicebus.Message{}, nil), azservicebus.CodeNotFound)
	_, err := receiver(t, c, "nowhere", nil).ReceiveMessages(t.Context(), 1, nil)
	requireCode(t, err, azservicebus.CodeNotFound)
	require.Less(t, time.Since(started), 30*time.Second)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	listener := minibus.Policy{Name: "reader", Key: "secret", Claims: []minibus.Claim{minibus.Listen}}
	bus := runT(t, topology, func(o *minibus.Options) { o.Policies = []minibus.Policy{minibus.DefaultPolicy, listener} })
	fails := func(connection, text string) {
		t.Helper()
		err := sender(t, connect(t, connection), "plain").SendMessage(t.Context(), &azservicebus.Message{}, nil)
		requireCode(t, err, azservicebus.CodeUnauthorizedAccess)
		require.ErrorContains(t, err, text)
	}
	fails(minibus.Policy{Name: listener.Name, Key: "wrong"}.ConnectionString(bus.Addr), "InvalidSignature")
	fails(minibus.Policy{Name: "nobody", Key: "x"}.ConnectionString(bus.Addr), "InvalidSignature")
	fails(listener.ConnectionString(bus.Addr), "'Send' claim(s) are required to perform this operation")

	send(t, sender(t, connect(t, bus.ConnectionString()), "plain"), "x")
	reader := connect(t, listener.ConnectionString(bus.Addr))
	require.Equal(t, []string{"x"}, bodies(receive(t, receiver(t, reader, "plain", nil), 1)))
	_, err := sender(t, reader, "plain").ScheduleMessages(t.Context(), []*azservicebus.Message{{}}, time.Now(), nil)
	requireCode(t, err, azservicebus.CodeUnauthorizedAccess)

	given := func(resource string, expires time.Time) string {
		return fmt.Sprintf("Endpoint=sb://%s;SharedAccessSignature=%s;UseDevelopmentEmulator=true", bus.Addr, signature(resource, expires))
	}
	fails(given("sb://"+bus.Addr+"/plain", time.Now().Add(-time.Minute)), "ExpiredToken: The token is expired. Expiration time:")
	fails(given("sb://"+bus.Addr+"/other", time.Now().Add(time.Minute)), "InvalidAudience")
	scoped := connect(t, given("sb://"+bus.Addr+"/plain", time.Now().Add(time.Minute)))
	send(t, sender(t, scoped, "plain"), "y")
}

// signature is a token for a resource, made with the emulator's key.
func signature(resource string, expires time.Time) string {
	sr := strings.ToLower(url.QueryEscape(resource))
	mac := hmac.New(sha256.New, []byte(minibus.DefaultPolicy.Key))
	fmt.Fprintf(mac, "%s\n%d", sr, expires.Unix())
	return fmt.Sprintf("SharedAccessSignature sr=%s&sig=%s&se=%d&skn=%s", sr, url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))), expires.Unix(), minibus.DefaultPolicy.Name)
}

// Python's client says of every token that it is a JWT: the token itself tells what it is.
func TestTokenTypes(t *testing.T) {
	t.Parallel()
	soon, before := time.Now().Add(time.Minute), time.Now().Add(-time.Minute)
	for name, c := range map[string]struct {
		kind, token string
		jwt         bool
		want        int32
		text        string
	}{
		"signature":                   {"servicebus.windows.net:sastoken", signature("sb://localhost/plain", soon), false, 202, "Accepted"},
		"signature as JWT":            {"jwt", signature("sb://localhost/plain", soon), false, 202, "Accepted"},
		"signature as JWT, JWT taken": {"jwt", signature("sb://localhost/plain", soon), true, 202, "Accepted"},
		"expired as JWT":              {"jwt", signature("sb://localhost/plain", before), true, 401, "ExpiredToken"},
		"other entity as JWT":         {"jwt", signature("sb://localhost/other", soon), true, 401, "InvalidAudience"},
		"JWT":                         {"jwt", "a.b.c", true, 202, "Accepted"},
		"JWT not taken":               {"jwt", "a.b.c", false, 401, "InvalidToken"},
		"JWT as signature":            {"servicebus.windows.net:sastoken", "a.b.c", true, 401, "InvalidToken"},
		"SWT":                         {"amqp:swt", "a=b", true, 401, "InvalidToken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := minibus.RunT(t, topology, func(o *minibus.Options) { o.AcceptJWT = c.jwt })
			code, text := putToken(t, bus.Addr, c.kind, c.token, "sb://localhost/plain")
			require.Equal(t, c.want, code, text)
			require.Contains(t, text, c.text)
		})
	}
}

// putToken asks $cbs.
func putToken(t *testing.T, addr, kind, token, audience string) (int32, string) {
	t.Helper()
	conn, err := amqp.Dial(t.Context(), "amqp://"+addr, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	require.NoError(t, err)
	defer conn.Close()
	session, err := conn.NewSession(t.Context(), nil)
	require.NoError(t, err)
	out, err := session.NewSender(t.Context(), "$cbs", nil)
	require.NoError(t, err)
	in, err := session.NewReceiver(t.Context(), "$cbs", nil)
	require.NoError(t, err)
	require.NoError(t, out.Send(t.Context(), &amqp.Message{
		Properties: &amqp.MessageProperties{MessageID: "1"}, Value: token,
		ApplicationProperties: map[string]any{"operation": "put-token", "type": kind, "name": audience},
	}, nil))
	answer, err := in.Receive(t.Context(), nil)
	require.NoError(t, err)
	return answer.ApplicationProperties["status-code"].(int32), answer.ApplicationProperties["status-description"].(string)
}
