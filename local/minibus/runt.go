package minibus

import (
	"net"
	"testing"
)

// Instance is a broker that runs for a test.
type Instance struct {
	*Server
	Addr string // host:port
}

// ConnectionString reaches the instance with the default policy.
func (i *Instance) ConnectionString() string { return i.Server.ConnectionString(i.Addr) }

// RunT starts a broker on a free port of the loopback interface. When the test ends it is closed, and checked: no
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.broker.check(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return &Instance{Server: s, Addr: l.Addr().String()}
}
