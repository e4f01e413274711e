package hostname_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/hostname"
)

func TestAdmit(t *testing.T) {
	t.Parallel()
	socket := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7071}
	names := hostname.Names{"devbox.example"}
	for host, want := range map[string]bool{
		"localhost": true, "localhost:7071": true, "LocalHost": true, "127.0.0.1:7071": true, "127.0.0.1": true, "127.9.9.9": true,
		"[::1]:7071": true, "[::1]": true, "::1": true, "192.168.1.5:7071": true, "0.0.0.0:7071": true, "": true,
		"devbox.example": true, "DevBox.example:7071": true,
		"evil.example": false, "evil.example:7071": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		"evil.localhost.": false, "devbox.example.evil.example": false, "sub.devbox.example": false, "7f.0.0.1": false,
		"127.1": false, "2130706433": false, "[evil.example]": false, ":7071": false, "localhost@evil.example": false, "evil.example:x:y": false,
	} {
		require.Equal(t, want, names.Admit(socket, host), "%q", host)
		require.True(t, names.Admit(&net.UnixAddr{Name: "pipe"}, host), "no browser comes over a pipe")
		require.True(t, names.Admit(nil, host))
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"localhost": true, "localhost:1": true, "127.0.0.1:1": true, "[::1]:1": true, "[::1]": true,
		"192.168.1.5:1": false, "0.0.0.0": false, "evil.example": false, "": false,
	} {
		require.Equal(t, want, hostname.Loopback(addr), "%q", addr)
	}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	names := hostname.Names{"devbox.example"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if names.Allow(w, r) {
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(server.Close)
	for host, want := range map[string]int{"": http.StatusNoContent, "devbox.example:1": http.StatusNoContent, "evil.example": http.StatusForbidden} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		require.NoError(t, err)
		r.Host = host
		answer, err := server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, want, answer.StatusCode, host)
	}
}
