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
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

func TestUnknownEntity(t *testing.T) {
	t.Parallel()
	c := connect(t, minibus.RunT(t, topology).ConnectionString())
	started := time.Now()
	requireCode(t, sender(t, c, "nowhere").SendMessage(t.Context(), &azservicebus.Message{}, nil), azservicebus.CodeNotFound)
	_, err := receiver(t, c, "nowhere", nil).ReceiveMessages(t.Context(), 1, nil)
	requireCode(t, err, azservicebus.CodeNotFound)
	require.Less(t, time.Since(started), 5*time.Second)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	listener := minibus.Policy{Name: "reader", Key: "secret", Claims: []minibus.Claim{minibus.Listen}}
	bus := minibus.RunT(t, topology, func(o *minibus.Options) { o.Policies = []minibus.Policy{minibus.DefaultPolicy, listener} })
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
		sr := strings.ToLower(url.QueryEscape(resource))
		mac := hmac.New(sha256.New, []byte(minibus.DefaultPolicy.Key))
		fmt.Fprintf(mac, "%s\n%d", sr, expires.Unix())
		return fmt.Sprintf("Endpoint=sb://%s;SharedAccessSignature=SharedAccessSignature sr=%s&sig=%s&se=%d&skn=%s;UseDevelopmentEmulator=true",
			bus.Addr, sr, url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))), expires.Unix(), minibus.DefaultPolicy.Name)
	}
	fails(given("sb://"+bus.Addr+"/plain", time.Now().Add(-time.Minute)), "ExpiredToken: The token is expired. Expiration time:")
	fails(given("sb://"+bus.Addr+"/other", time.Now().Add(time.Minute)), "InvalidAudience")
	scoped := connect(t, given("sb://"+bus.Addr+"/plain", time.Now().Add(time.Minute)))
	send(t, sender(t, scoped, "plain"), "y")
}
