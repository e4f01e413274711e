package admin

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/azure/servicebus"
)

// Ports of the official emulator.
const (
	amqpPort  = "5672"
	adminPort = "5300" // the administration interface
)

// Emulator says whether the connection is to an emulator, by its own word.
func Emulator(conn servicebus.Connection) bool {
	return strings.EqualFold(access.Part(conn.ConnectionString, "UseDevelopmentEmulator"), "true")
}

// DefaultAddr is where an emulator on the connection's host serves the administration
// interface.
func DefaultAddr(conn servicebus.Connection) string {
	return net.JoinHostPort((&url.URL{Host: Place(conn)}).Hostname(), adminPort)
}

// Place is where the namespace is: its host, with the port that the connection names or
// an emulator has.
func Place(conn servicebus.Connection) string {
	if conn.ConnectionString == "" {
		return conn.Namespace
	}
	u, err := url.Parse(access.Part(conn.ConnectionString, "Endpoint"))
	if err != nil {
		return ""
	}
	if u.Port() == "" && Emulator(conn) {
		return net.JoinHostPort(u.Hostname(), amqpPort)
	}
	return u.Host
}

// PlainHTTP sends requests to addr without TLS. The SDK always dials https at the
// connection string's own port; an emulator has neither there.
func PlainHTTP(addr string, next policy.Transporter) policy.Transporter { return plainHTTP{addr, next} }

type plainHTTP struct {
	addr string
	next policy.Transporter
}

func (p plainHTTP) Do(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host = "http", p.addr
	return p.next.Do(req)
}
