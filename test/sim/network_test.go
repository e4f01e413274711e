package sim

import (
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestDiesReading: what has arrived is not seen, nothing comes after it, and the other side
// hears of the end.
func TestDiesReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork(1)
		server, client := net.node("server"), net.node("client")
		door := server.listen("server")
		here, err := client.dialer("server")(t.Context())
		require.NoError(t, err)
		there, err := door.Accept()
		require.NoError(t, err)
		server.dieReading(2)
		read := func() (string, error) {
			b := make([]byte, 8)
			n, err := there.Read(b)
			return string(b[:n]), err
		}
		for range 2 {
			_, err = here.Write([]byte("word"))
			require.NoError(t, err)
		}
		said, err := read()
		require.NoError(t, err)
		require.Equal(t, "word", said)
		said, err = read()
		require.ErrorIs(t, err, syscall.ECONNRESET)
		require.Empty(t, said)
		require.False(t, server.alive())
		_, err = here.Write([]byte("more"))
		require.ErrorIs(t, err, syscall.ECONNRESET)
	})
}
