package websocket

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
)

// Opcodes (5.2).
const (
	opContinuation = 0x0
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa

	final      = 0x80 // the bit of a message's last frame, beside the opcode
	masked     = 0x80 // the bit beside the length
	maxControl = 125  // bytes that a control frame may carry
)

// Reasons to close (7.4.1).
const (
	statusNormal      = 1000
	statusProtocol    = 1002
	statusUnsupported = 1003
)

// ErrProtocol: the client's frame is none that a client may send here. It has been told.
var ErrProtocol = errors.New("broken WebSocket frame")

// Conn is a connection whose bytes travel in frames.
type Conn struct {
	net.Conn
	in *bufio.Reader

	// Owner: the one caller of Read.
	left    uint64 // bytes of the frame that have not been read
	mask    [4]byte
	at      int  // in mask
	message bool // more frames of a message follow
	fault   error

	mu  sync.Mutex // guards what goes out
	out []byte
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for c.left == 0 && c.fault == nil {
		c.fault = c.next()
	}
	if c.fault != nil {
		return 0, c.fault
	}
	n, err := c.in.Read(p[:min(uint64(len(p)), c.left)])
	c.unmask(p[:n])
	c.left -= uint64(n)
	return n, cut(err)
}

// next reads the header of a frame, and all of one that carries no data.
func (c *Conn) next() error {
	var head [2]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return err
	}
	op, last := head[0]&0x0f, head[0]&final != 0
	length, err := c.length(head[1] &^ masked)
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(c.in, c.mask[:]); err != nil {
		return cut(err)
	}
	c.at = 0
	switch {
	case head[0]&0x70 != 0, head[1]&masked == 0, length > 1<<62:
		return c.give(statusProtocol)
	case op >= opClose:
		if !last || length > maxControl {
			return c.give(statusProtocol)
		}
		return c.control(op, int(length))
	case op == opBinary && !c.message, op == opContinuation && c.message:
		c.message, c.left = !last, length
		return nil
	case op > opBinary, op == opBinary, op == opContinuation:
		return c.give(statusProtocol)
	}
	return c.give(statusUnsupported) // text
}

// length is that of a frame: 7 bits, or the 2 or 8 bytes behind them.
func (c *Conn) length(short byte) (uint64, error) {
	var b [8]byte
	switch short {
	case 126:
		_, err := io.ReadFull(c.in, b[6:])
		return binary.BigEndian.Uint64(b[:]), cut(err)
	case 127:
		_, err := io.ReadFull(c.in, b[:])
		return binary.BigEndian.Uint64(b[:]), cut(err)
	}
	return uint64(short), nil
}

// control acts on a frame that carries no data (5.5).
func (c *Conn) control(op byte, length int) error {
	load := make([]byte, length)
	if _, err := io.ReadFull(c.in, load); err != nil {
		return cut(err)
	}
	c.unmask(load)
	switch op {
	case opPing:
		_, err := c.send(opPong, load)
		return err
	case opPong:
		return nil
	case opClose:
		_ = c.close(statusNormal) // the client may have gone already
		return io.EOF
	}
	return c.give(statusProtocol)
}

func (c *Conn) unmask(p []byte) {
	for i := range p {
		p[i] ^= c.mask[c.at&3]
		c.at++
	}
}

// give tells the client why nothing more is read.
func (c *Conn) give(status uint16) error { return errors.Join(ErrProtocol, c.close(status)) }

func (c *Conn) close(status uint16) error {
	_, err := c.send(opClose, binary.BigEndian.AppendUint16(nil, status))
	return err
}

// Write implements net.Conn: what is written at once is one frame.
func (c *Conn) Write(p []byte) (int, error) { return c.send(opBinary, p) }

// CloseWrite tells the client that nothing more comes.
func (c *Conn) CloseWrite() error { return c.close(statusNormal) }

func (c *Conn) send(op byte, load []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := append(c.out[:0], final|op)
	switch n := len(load); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	head := len(b)
	c.out = append(b, load...)
	n, err := c.Conn.Write(c.out)
	return max(n-head, 0), err
}

// cut is err of a read within a frame: the end of the stream is none of the frame.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
