package minibus_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// trusting is a TLS configuration for clients of the bus. azservicebus would look for a certificate of "host:port" if
// it were not told a name.
func trusting(t *testing.T, bus *minibus.Instance) *tls.Config {
	t.Helper()
	text, err := bus.CertificatePEM()
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(text))
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

// secure is the connection string without the emulator's flag, so that clients insist on TLS.
func secure(bus *minibus.Instance) string {
	return strings.ReplaceAll(bus.ConnectionString(), "UseDevelopmentEmulator=true;", "")
}

// The unmodified administration client and a client that insists on TLS come in where AMQP without TLS does.
func TestOnePort(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	trusted := trusting(t, bus)
	c, err := azservicebus.NewClientFromConnectionString(secure(bus), &azservicebus.ClientOptions{TLSConfig: trusted})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close(context.Background())) })
	send(t, sender(t, c, "plain"), strings.Repeat("over TLS ", 10_000))
	got := receive(t, receiver(t, connect(t, bus.ConnectionString()), "plain", nil), 1)[0]
	require.Len(t, got.Body, 90_000)

	web := &http.Client{Transport: &http.Transport{TLSClientConfig: trusted}}
	t.Cleanup(web.CloseIdleConnections)
	manager, err := admin.NewClientFromConnectionString(bus.ConnectionString(), &admin.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: web}})
	require.NoError(t, err)
	queue, err := manager.GetQueueRuntimeProperties(t.Context(), "plain", nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, queue.ActiveMessageCount)

	for _, scheme := range []string{"http", "https"} {
		answer, err := web.Get(scheme + "://" + bus.Addr + "/health")
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.JSONEq(t, `{"status":"healthy"}`, string(body))
	}
}

// A certificate of one's own replaces the one that is made.
func TestOwnCertificate(t *testing.T) {
	t.Parallel()
	other := minibus.RunT(t)
	text, err := other.CertificatePEM()
	require.NoError(t, err)
	again, err := other.CertificatePEM()
	require.NoError(t, err)
	require.Equal(t, text, again)

	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, io.ErrUnexpectedEOF }}
	})
	_, err = tls.Dial("tcp", bus.Addr, trusting(t, other))
	require.ErrorContains(t, err, "internal error")
}

// What is no protocol that the door knows is told which is, and cut.
func TestStrangers(t *testing.T) {
	t.Parallel()
	bus := runT(t)
	for first, answer := range map[string]string{
		"AMQP\x00\x00\x09\x01":             "AMQP\x03\x01\x00\x00",
		"hello, is this it?":               "AMQP\x03\x01\x00\x00",
		"\x00\x00\x00\x00\x00\x00\x00\x00": "AMQP\x03\x01\x00\x00",
		"NONSENSE\r\n\r\n":                 "HTTP/1.1 400",
		"GET /$Resources/queues HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n": "HTTP/1.1 401",
	} {
		nc, err := net.Dial("tcp", bus.Addr)
		require.NoError(t, err)
		for _, b := range []byte(first) { // one byte at a time
			if _, err := nc.Write([]byte{b}); err != nil {
				break // cut already
			}
		}
		got := make([]byte, len(answer))
		require.NoError(t, nc.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err = io.ReadFull(bufio.NewReader(nc), got)
		require.NoError(t, err, first)
		require.Equal(t, answer, string(got), first)
		require.NoError(t, nc.Close())
	}
}

// Clients that say nothing, also inside TLS, hold nobody up, and do not keep the broker from closing.
func TestSilentClients(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	var silent []net.Conn
	for range 200 {
		nc, err := net.Dial("tcp", bus.Addr)
		require.NoError(t, err)
		silent = append(silent, nc)
	}
	inside, err := tls.Dial("tcp", bus.Addr, trusting(t, bus))
	require.NoError(t, err)
	silent = append(silent, inside)
	send(t, sender(t, connect(t, bus.ConnectionString()), "plain"), "x")
	closing := time.Now()
	require.NoError(t, bus.Close())
	require.Less(t, time.Since(closing), time.Minute)
	for _, nc := range silent {
		require.NoError(t, nc.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err := nc.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		_ = nc.Close() // cut by the other side
	}
}
