package stack

import (
	"fmt"
	"net"
)

// AddressError: a part cannot listen on its address. Stop what listens there, or give
// the part another address.
type AddressError struct {
	Part Part
	Addr string
	Err  error
}

// Error names the part, the address and the fault.
func (e *AddressError) Error() string {
	return fmt.Sprintf("%s cannot listen on %s: %v", e.Part, e.Addr, e.Err)
}

// Unwrap returns Err.
func (e *AddressError) Unwrap() error { return e.Err }

// opens says what a part gives to whoever reaches it.
var opens = map[Part]string{
	Cosmos:   "its key is the emulator's, which everybody knows",
	Bus:      "its key is the emulator's, which everybody knows",
	BusAdmin: "its key is the emulator's, which everybody knows",
	Host:     "it asks nobody for a key",
}

// warn says so when other machines reach a part: everything here listens on loopback unless it is told otherwise.
func (s *Stack) warn(p Part, addr net.Addr) {
	if tcp, ok := addr.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		s.cfg.Notice(fmt.Sprintf("%s listens on %s: other machines reach it, and %s", p, addr, opens[p]))
	}
}

// reach is where this machine's clients reach a listener: on loopback, if it listens everywhere.
func reach(l net.Listener) string {
	if tcp, ok := l.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return l.Addr().String()
}
