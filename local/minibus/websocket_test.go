package minibus_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// upgrade asks for AMQP over WebSockets on a connection, with headers of a test.
func upgrade(t *testing.T, nc net.Conn, host string, header ...string) (*http.Response, *bufio.Reader) {
	t.Helper()
	_, err := fmt.Fprintf(nc, "GET /$servicebus/websocket HTTP/1.1\r\nHost: %s\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", host, strings.Join(append(header, ""), "\r\n"))
	require.NoError(t, err)
	in := bufio.NewReader(nc)
	answer, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	return answer, in
}

const wantAMQP = "Sec-WebSocket-Protocol: AMQPWSB10"

// framed is the client's side of a WebSocket: as much of it as a test needs.
type framed struct {
	net.Conn
	in   *bufio.Reader
	left uint64
}

// Write sends one frame, with a mask that changes nothing.
func (f *framed) Write(p []byte) (int, error) {
	b := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, uint64(len(p)))
	if _, err := f.Conn.Write(append(append(b, 0, 0, 0, 0), p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Read reads from binary frames.
func (f *framed) Read(p []byte) (int, error) {
	for f.left == 0 {
		var b [10]byte
		if _, err := io.ReadFull(f.in, b[:2]); err != nil || b[0] != 0x82 {
			return 0, io.EOF
		}
		switch f.left = uint64(b[1]); b[1] {
		case 126:
			if _, err := io.ReadFull(f.in, b[8:]); err != nil {
				return 0, err
			}
			f.left = uint64(binary.BigEndian.Uint16(b[8:]))
		case 127:
			if _, err := io.ReadFull(f.in, b[2:]); err != nil {
				return 0, err
			}
			f.left = binary.BigEndian.Uint64(b[2:])
		}
	}
	n, err := f.in.Read(p[:min(uint64(len(p)), f.left)])
	f.left -= uint64(n)
	return n, err
}

// The service's clients speak AMQP over WebSockets on the port of AMQP and on that of the administration, with TLS and
// without.
func TestWebSockets(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	trusted := trusting(t, bus)
	for name, dial := range map[string]func() (net.Conn, error){
		"AMQP":               func() (net.Conn, error) { return net.Dial("tcp", bus.Addr) },
		"AMQP with TLS":      func() (net.Conn, error) { return tls.Dial("tcp", bus.Addr, trusted) },
		"the administration": func() (net.Conn, error) { return net.Dial("tcp", bus.AdminAddr) },
	} {
		t.Run(name, func(t *testing.T) {
			c, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), &azservicebus.ClientOptions{
				NewWebSocketConn: func(context.Context, azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
					nc, err := dial()
					if err != nil {
						return nil, err
					}
					answer, in := upgrade(t, nc, bus.Addr, wantAMQP)
					require.Equal(t, http.StatusSwitchingProtocols, answer.StatusCode)
					require.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", answer.Header.Get("Sec-WebSocket-Accept"), "RFC 6455 1.3")
					require.Equal(t, "AMQPWSB10", answer.Header.Get("Sec-WebSocket-Protocol"))
					return &framed{Conn: nc, in: in}, nil
				},
			})
			require.NoError(t, err)
			send(t, sender(t, c, "plain"), strings.Repeat("large ", 30_000), "small")
			got := receive(t, receiver(t, c, "plain", nil), 2)
			require.Equal(t, []string{strings.Repeat("large ", 30_000), "small"}, bodies(got))
			require.NoError(t, c.Close(t.Context()))
		})
	}
	require.Eventually(t, func() bool { return bus.Links() == 0 }, time.Minute, 5*time.Millisecond)
}

// Who does not want AMQP, or is a page of somebody else's, is told so.
func TestWebSocketsRefused(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology, func(o *minibus.Options) { o.Hosts = []string{"bus.test"} })
	for name, c := range map[string]struct {
		host   string
		header []string
		want   int
	}{
		"a program":              {"localhost", []string{wantAMQP}, 101},
		"the name of OASIS":      {"localhost", []string{"Sec-WebSocket-Protocol: mqtt, amqp"}, 101},
		"page of this machine":   {"localhost", []string{wantAMQP, "Origin: http://localhost:3000"}, 101},
		"page of a name of ours": {"localhost", []string{wantAMQP, "Origin: https://bus.test"}, 101},
		"page of ours":           {"192.0.2.7:5672", []string{wantAMQP, "Origin: http://192.0.2.7:5672"}, 101},
		"page of another":        {"localhost", []string{wantAMQP, "Origin: https://example.com"}, 403},
		"page of an address":     {"localhost", []string{wantAMQP, "Origin: http://192.0.2.7"}, 403},
		"sandboxed page":         {"localhost", []string{wantAMQP, "Origin: null"}, 403},
		"another name":           {"example.com", []string{wantAMQP}, 403},
		"no protocol":            {"localhost", nil, 400},
		"another protocol":       {"localhost", []string{"Sec-WebSocket-Protocol: mqtt"}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc, err := net.Dial("tcp", bus.Addr)
			require.NoError(t, err)
			defer nc.Close()
			answer, _ := upgrade(t, nc, c.host, c.header...)
			require.Equal(t, c.want, answer.StatusCode)
		})
	}
	answer, err := http.Get("http://" + bus.Addr + "/$servicebus/websocket")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusUpgradeRequired, answer.StatusCode)
}
