package natsserver

import (
	"net"
	"testing"
)

// Instance is a server that listens for a test.
type Instance struct {
	*Server
	// URL is nats://127.0.0.1:port.
	URL string
}

// RunT starts a server on a free port of 127.0.0.1, on a folder of its own unless an option says
// otherwise. It is closed when the test ends.
func RunT(t testing.TB, options ...func(*Options)) *Instance {
	t.Helper()
	var o Options
	for _, set := range options {
		set(&o)
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Open(o)
	if err != nil {
		t.Fatalf("open the nats server: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the nats server: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("nats server: %v", err)
		}
	})
	return &Instance{Server: s, URL: "nats://" + l.Addr().String()}
}
