package stack_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

func only(parts ...stack.Part) func(*stack.Config) {
	return func(c *stack.Config) { c.Only = parts }
}

func TestDataFolderIsTakenOnce(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	keep := func(c *stack.Config) { c.Data = data }
	s := stack.RunT(t, only(stack.Cosmos, stack.Bus), keep)
	_, err := stack.Start(stack.Config{Only: []stack.Part{stack.Cosmos}, Data: data})
	require.ErrorIs(t, err, stack.ErrInUse)
	require.NoError(t, s.Close())
	stack.RunT(t, only(stack.Cosmos, stack.Bus), keep)
}

// TestNoServerIsAWebPages: a page whose name resolves to this machine reaches none of them, whatever it asks for.
func TestNoServerIsAWebPages(t *testing.T) {
	t.Parallel()
	s := stack.RunT(t, only(stack.Cosmos, stack.Bus), func(c *stack.Config) {
		c.BusAdminAddr, c.Hosts = "127.0.0.1:0", []string{"devbox.example"}
	})
	for _, base := range []string{s.CosmosURL, "http://" + s.BusAdminAddr, "http://" + s.BusAddr} {
		for _, path := range []string{"/", "/health", "/dbs", "/relaybox/faults", "/entity-events"} {
			for host, admitted := range map[string]bool{
				"": true, "localhost:1": true, "devbox.example": true, "evil.example": false, "evil.example:5300": false, "localhost.evil.example": false,
			} {
				if host == "devbox.example" && path == "/relaybox/faults" {
					admitted = false // faults are for this machine, under its own names
				}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
				require.NoError(t, err)
				r.Host = host
				answer, err := http.DefaultClient.Do(r)
				require.NoError(t, err)
				require.NoError(t, answer.Body.Close())
				require.Equal(t, admitted, answer.StatusCode != http.StatusForbidden, "%s%s under %q: %s", base, path, host, answer.Status)
			}
		}
	}
}

func TestFreshForgets(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	require.NoError(t, stack.RunT(t, only(stack.Cosmos), func(c *stack.Config) { c.Data = data }).Close())
	marker := filepath.Join(data, "cosmos", "marker")
	require.NoError(t, os.WriteFile(marker, nil, 0o600))
	stack.RunT(t, only(stack.Cosmos), func(c *stack.Config) { c.Data, c.Fresh = data, true })
	require.NoFileExists(t, marker)
}

func TestBusyAddressNamesItsPart(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = busy.Close() })
	addr := busy.Addr().String()
	for part, cfg := range map[stack.Part]stack.Config{
		stack.Cosmos:   {CosmosAddr: addr},
		stack.Bus:      {BusAddr: addr},
		stack.BusAdmin: {BusAdminAddr: addr},
	} {
		cfg.Only = []stack.Part{stack.Cosmos, stack.Bus}
		_, err := stack.Start(cfg)
		fault, ok := errors.AsType[*stack.AddressError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, part, fault.Part)
		require.Equal(t, addr, fault.Addr)
	}
}

func TestBusAdministration(t *testing.T) {
	t.Parallel()
	require.Empty(t, stack.RunT(t, only(stack.Bus)).BusAdminAddr, "it is served only on demand")
	s := stack.RunT(t, only(stack.Bus), func(c *stack.Config) { c.BusAdminAddr = "127.0.0.1:0" })
	for path, want := range map[string]int{"/health": http.StatusOK, "/" + s.Settings["EVENTS_TOPIC"]: http.StatusUnauthorized} {
		resp, err := http.Get("http://" + s.BusAdminAddr + path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.StatusCode, path)
	}
}

func TestCosmosTLS(t *testing.T) {
	t.Parallel()
	for name, front := range map[string]func(http.Handler) http.Handler{"plain": nil, "front": func(h http.Handler) http.Handler { return h }} {
		s := stack.RunT(t, only(stack.Cosmos), func(c *stack.Config) { c.CosmosTLS, c.Data, c.CosmosFront = true, t.TempDir(), front })
		trusted := x509.NewCertPool()
		text, err := os.ReadFile(s.Settings["SSL_CERT_FILE"])
		require.NoError(t, err)
		require.True(t, trusted.AppendCertsFromPEM(text))
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
		resp, err := client.Get(s.CosmosURL)
		require.NoError(t, err, name)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode, "it is the store: it wants a signature")
		client.CloseIdleConnections()
	}
}

func TestConnectionsOfPartsGoOverTheSettings(t *testing.T) {
	t.Parallel()
	s := stack.RunT(t, only(stack.Cosmos), func(c *stack.Config) {
		c.Settings = map[string]string{
			"COSMOS_CONNECTION": "mine", "COSMOS_CONNECTION__accountEndpoint": "https://mine.documents.azure.com",
			"SERVICEBUS_CONNECTION": "mine", "COSMOS_DATABASE": "other",
		}
	})
	require.Equal(t, s.CosmosConnection, s.Settings["COSMOS_CONNECTION"])
	require.Empty(t, s.Settings["COSMOS_CONNECTION__accountEndpoint"], "the app would sign in to Azure")
	require.Equal(t, "mine", s.Settings["SERVICEBUS_CONNECTION"], "the bus does not run here")
	require.Equal(t, "other", s.Settings["COSMOS_DATABASE"])
}

func TestHostRefusesTheSourceTree(t *testing.T) {
	t.Parallel()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	_, err = stack.Start(stack.Config{Only: []stack.Part{stack.Host}, App: source})
	require.ErrorContains(t, err, "relaybox assemble")
}

func TestReadLocalSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "local.settings.json")
	values, err := stack.ReadLocalSettings(file)
	require.NoError(t, err)
	require.Empty(t, values)
	for text, word := range map[string]string{
		`{"IsEncrypted":true,"Values":{}}`: "encrypted",
		`{"Values":{"A":1}}`:               "strings",
		`{`:                                "local.settings.json",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := stack.ReadLocalSettings(file)
		require.ErrorContains(t, err, word)
	}
}

// The bus speaks TLS on its one port, with a certificate that stands in the data folder.
func TestBusTLS(t *testing.T) {
	t.Parallel()
	s := stack.RunT(t, only(stack.Bus), func(c *stack.Config) { c.Data = t.TempDir() })
	trusted := x509.NewCertPool()
	text, err := os.ReadFile(s.BusCertificate)
	require.NoError(t, err)
	require.True(t, trusted.AppendCertsFromPEM(text))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
	resp, err := client.Get("https://" + s.BusAddr + "/health")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	client.CloseIdleConnections()
}

// A part that other machines reach is told of; one on loopback is not.
func TestOpenAddressIsToldOf(t *testing.T) {
	t.Parallel()
	var said []string
	s := stack.RunT(t, only(stack.Bus, stack.Cosmos), func(c *stack.Config) {
		c.BusAddr, c.Notice = "0.0.0.0:0", func(s string) { said = append(said, s) }
	})
	require.Contains(t, s.BusConnection, "sb://127.0.0.1:", "where clients here find it")
	require.Len(t, said, 1)
	require.Regexp(t, `^bus listens on (0\.0\.0\.0|\[::\]):\d+: other machines reach it, and its key is the emulator's, which everybody knows$`, said[0])
}

func TestAnEmptyNameIsNamedByItsSetting(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"EVENTS_TOPIC", "EVENTS_SUBSCRIPTION"} {
		_, err := stack.Start(stack.Config{Only: []stack.Part{stack.Bus}, Settings: map[string]string{name: ""}})
		require.ErrorContains(t, err, "setting "+name+" is empty")
		require.ErrorContains(t, err, "default, ")
	}
}
