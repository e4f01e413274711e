//go:build unix

package worker

import (
	"errors"
	"net"
	"syscall"
)

// alive reports whether the peer has kept an idle connection open: a read that
// would block is the good sign.
func alive(c net.Conn) bool {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return true
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	good := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, err := syscall.Read(int(fd), one[:])
		good = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && good
}
