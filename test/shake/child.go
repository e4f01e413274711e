package shake

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"testing"

	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/selfsigned"
	"github.com/relaybox/relaybox/test/victim"
)

// child is how the servers on a folder are started.
type child struct {
	dir    string
	ranges int
	tls    bool
}

// process is one of them.
type process struct {
	*victim.Process
	at *url.URL
}

const serverName = "minicosmos"

// Servers are what has to be named to victim.Main, besides a test's own.
func Servers() map[string]victim.Server { return map[string]victim.Server{serverName: serve} }

func (c child) start() (*process, error) {
	p, err := victim.Start(serverName, c.dir, strconv.Itoa(c.ranges), strconv.FormatBool(c.tls))
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(p.At)
	if err != nil {
		p.Kill()
		return nil, err
	}
	return &process{p, at}, nil
}

// Main is for TestMain: it runs the tests, or is a server of theirs.
func Main(m *testing.M) int { return victim.Main(m, Servers()) }

// serve serves what is in a folder, with a number of ranges, and over TLS or not.
func serve(arguments []string, ready io.Writer) error {
	ranges, err := strconv.Atoi(arguments[1])
	if err != nil {
		return err
	}
	s, err := minicosmos.Open(minicosmos.Options{Dir: arguments[0], Ranges: ranges})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if arguments[2] != "true" {
		fmt.Fprintf(ready, "http://%s\n", l.Addr())
		return s.Serve(l)
	}
	certificate, err := selfsigned.Certificate("minicosmos")
	if err != nil {
		return err
	}
	fmt.Fprintf(ready, "https://%s\n", l.Addr())
	return s.ServeTLS(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
}
