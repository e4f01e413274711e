package minibus

import (
	"net"
	"testing"
)

// Instance is a broker that runs for a test.
type Instance struct {
	*Server
	Addr      string // host:port
	AdminAddr string // host:port of the administration interface, plain HTTP
}

// ConnectionString reaches the instance with the default policy.
func (i *Instance) ConnectionString() string { return i.Server.ConnectionString(i.Addr) }

// RunT starts a broker on free ports of the loopback interface. When the test ends it is closed, and checked: no
// connection may be left, and its books must balance.
func RunT(t testing.TB, change ...func(*Options)) *Instance {
	t.Helper()
	var o Options
	for _, f := range change {
		f(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	i := &Instance{Server: s, Addr: serveT(t, s.Serve), AdminAddr: serveT(t, s.ServeAdmin)}
	t.Cleanup(func() {
		if err := s.broker.Check(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

// serveT serves on a free port, and waits for the end in a Cleanup: register the one that closes the server after it.
func serveT(t testing.TB, serve func(net.Listener) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serve(l) }()
	t.Cleanup(func() {
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}
