package jetstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

func TestConnectionFaults(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		conn Connection
		want string // "" for none
	}{
		"none":                  {Connection{}, "no server"},
		"one":                   {Connection{URLs: "tls://a:4222"}, ""},
		"several":               {Connection{URLs: "nats://a:4222, nats://b"}, ""},
		"a host":                {Connection{URLs: "a:4222"}, "not a URL"},
		"another scheme":        {Connection{URLs: "https://a"}, "not a URL"},
		"no host":               {Connection{URLs: "nats://:4222"}, "not a URL"},
		"one of two":            {Connection{URLs: "nats://a,"}, "not a URL"},
		"a password":            {Connection{URLs: "nats://me:s3cret@a"}, "has a user in it"},
		"a password, misspelt":  {Connection{URLs: "nats://me:s3cret@a:port"}, "not a URL"},
		"two who we are":        {Connection{URLs: "nats://a", Credentials: "a", Seed: "b"}, "keep the one"},
		"half of a certificate": {Connection{URLs: "nats://a", Key: "b"}, "needs its key"},
		"a seed":                {Connection{URLs: "nats://a", Seed: secret}, "the text of a seed stands where the path of its file must"},
		"a seed, quoted":        {Connection{URLs: "nats://a", Seed: `"` + secret + `"`}, "the text of a seed"},
		"an account's seed":     {Connection{URLs: "nats://a", Seed: "SA" + secret[2:]}, "the text of a seed"},
		"credentials":           {Connection{URLs: "nats://a", Credentials: "-----BEGIN NATS USER JWT-----\ns3cret"}, "the text of credentials"},
		"credentials, one line": {Connection{URLs: "nats://a", Credentials: "eyJ0 " + secret}, "the text of credentials"},
		"a client's key":        {Connection{URLs: "nats://a", Certificate: "b", Key: "-----BEGIN KEY-----\r\ns3cret"}, "the text of a certificate's key"},
	} {
		err := row.conn.Validate()
		if row.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, row.want, name)
		require.NotContains(t, err.Error(), "s3cret", name)
		require.NotContains(t, err.Error(), secret[2:], name)
	}
}

// secret has the form of a user's seed.
const secret = "SUAMLTESTSEEDTHATOPENSNOTHINGAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// TestNoErrorNamesAFile: what stands in place of a path may be the secret itself, in a form that
// nobody recognizes.
func TestNoErrorNamesAFile(t *testing.T) {
	t.Parallel()
	require.Len(t, secret, 58)
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	const odd = "eyJ0eXAi.s3cret" // a JWT alone
	for want, conn := range map[string]Connection{
		"the file of credentials cannot be read (":           {Credentials: odd},
		"the file of a seed cannot be read (":                {Seed: odd},
		"the file of a trusted certificate cannot be read (": {CA: odd},
		"the file of a certificate's key cannot be read (":   {Certificate: empty, Key: odd},
		"there is no seed of a user in the file of a seed":   {Seed: empty},
		"the file of a certificate cannot be read (":         {Certificate: strings.Repeat("s3cret", 1000), Key: empty},
	} {
		conn.URLs = "nats://127.0.0.1:1"
		require.NoError(t, conn.Validate())
		err := closed(t, Open(conn, Options{})).Publisher(stream, PublisherOptions{}).Ready(t.Context())
		require.Equal(t, outbox.Unauthorized, outbox.ClassOf(err), want)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "s3cret")
		require.NotContains(t, err.Error(), empty)
	}
}

// TestSeedOverTLS: the server knows the user by its key, and the client the server by its authority.
func TestSeedOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, ca := certificate(t, dir)
	user, err := nkeys.CreateUser()
	require.NoError(t, err)
	public, err := user.PublicKey()
	require.NoError(t, err)
	seed, err := user.Seed()
	require.NoError(t, err)
	file := filepath.Join(dir, "app.nk")
	require.NoError(t, os.WriteFile(file, seed, 0o600))
	b := run(t, func(o *server.Options) {
		o.Nkeys = []*server.NkeyUser{{Nkey: public}}
		o.Users = []*server.User{{Username: "admin", Password: "admin"}}
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}, func(o *server.Options) { o.AllowNonTLS = true }) // for the test's own connection, in process
	url := "tls://" + b.Addr().String()
	good := closed(t, Open(Connection{URLs: url, Seed: file, CA: ca}, Options{})).Publisher(stream, PublisherOptions{})
	require.Equal(t, "ok", outcome(good.Publish(t.Context(), events("a1"))))
	stranger := closed(t, Open(Connection{URLs: url, Seed: file}, Options{})).Publisher(stream, PublisherOptions{})
	require.Equal(t, "unavailable", outcome(stranger.Publish(t.Context(), events("a2"))), "the system trusts no such authority")

	require.NoError(t, os.WriteFile(file, []byte("SECRETANDWRONG"), 0o600))
	results := closed(t, Open(Connection{URLs: url, Seed: file, CA: ca}, Options{})).Publisher(stream, PublisherOptions{}).Publish(t.Context(), events("a2"))
	require.Equal(t, "unauthorized", outcome(results))
	require.NotContains(t, results[0].Error(), "SECRET")
	require.Len(t, b.received(t, "a"), 1)
}

// certificate makes one for 127.0.0.1, its own authority, in a file too.
func certificate(t *testing.T, dir string) (tls.Certificate, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
