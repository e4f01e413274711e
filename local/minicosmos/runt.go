package minicosmos

import (
	"errors"
	"net"
	"testing"

	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// Instance is a server that listens for a test.
type Instance struct {
	*Server
	// URL is the endpoint, http://127.0.0.1:port.
	URL string
}

// ConnectionString returns what azcosmos's NewClientFromConnectionString takes.
func (i *Instance) ConnectionString() string { return i.Server.ConnectionString(i.URL) }

// RunT starts a server on a free port of 127.0.0.1, in memory unless an option says
// otherwise. When the test ends it is checked and closed.
func RunT(t testing.TB, options ...func(*Options)) *Instance {
	t.Helper()
	var o Options
	for _, set := range options {
		set(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatalf("open minicosmos: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Check(); err != nil && !errors.Is(err, refusal.Closed) {
			t.Errorf("minicosmos: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close minicosmos: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("minicosmos: %v", err)
		}
	})
	return &Instance{Server: s, URL: "http://" + l.Addr().String()}
}
