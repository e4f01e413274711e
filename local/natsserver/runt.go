package natsserver

import "testing"

// RunT starts a server for a test, on a folder of its own unless options say otherwise, and ends
// it in the test's Cleanup.
func RunT(t testing.TB, options ...func(*Options)) *Server {
	t.Helper()
	o := Options{}
	for _, option := range options {
		option(&o)
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the nats server: %v", err)
		}
	})
	return s
}
