package amqpwire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Frame types (2.3.1, 5.3.1).
const (
	FrameAMQP byte = 0
	FrameSASL byte = 1
)

const (
	frameHeader = 8
	// MinMaxFrameSize is the smallest limit that a peer may set (2.8.9).
	MinMaxFrameSize = 512
)

// Frame is one frame. An empty Body is a heartbeat.
type Frame struct {
	Type    byte
	Channel uint16
	Body    []byte
}

// FrameReader reads frames from a stream into one buffer that it uses again and again.
type FrameReader struct {
	r   io.Reader
	max int
	buf []byte
}

// NewFrameReader refuses frames above limit bytes.
func NewFrameReader(r io.Reader, limit int) *FrameReader { return &FrameReader{r: r, max: limit} }

// Next reads a frame. Its Body is valid until the next call.
func (f *FrameReader) Next() (Frame, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return Frame{}, err
	}
	size, doff := binary.BigEndian.Uint32(head[:]), int(head[4])*4
	switch {
	case size < frameHeader || size > uint32(f.max):
		return Frame{}, fmt.Errorf("%w: %d bytes, allowed are %d to %d", ErrFrame, size, frameHeader, f.max)
	case doff < frameHeader || doff > int(size):
		return Frame{}, fmt.Errorf("%w: data offset %d in a frame of %d bytes", ErrFrame, doff, size)
	case head[5] > FrameSASL:
		return Frame{}, fmt.Errorf("%w: type %d", ErrFrame, head[5])
	}
	n := int(size) - frameHeader
	if cap(f.buf) < n {
		f.buf = make([]byte, n)
	}
	f.buf = f.buf[:n]
	if _, err := io.ReadFull(f.r, f.buf); err != nil {
		return Frame{}, fmt.Errorf("read a frame of %d bytes: %w", size, err)
	}
	return Frame{Type: head[5], Channel: binary.BigEndian.Uint16(head[6:]), Body: f.buf[doff-frameHeader:]}, nil
}

// AppendFrame encodes a frame with one performative and no payload.
func AppendFrame(b []byte, typ byte, channel uint16, p Performative) []byte {
	b, start := beginFrame(b, typ, channel)
	return endFrame(appendComposite(b, p), start)
}

// AppendHeartbeat encodes an empty frame.
func AppendHeartbeat(b []byte) []byte {
	b, start := beginFrame(b, FrameAMQP, 0)
	return endFrame(b, start)
}

// AppendTransfers encodes a delivery as one frame or, if it is larger than the peer's maximum, as several. It returns
// the number of frames: each counts in the session's window.
func AppendTransfers(b []byte, channel uint16, t Transfer, payload []byte, maxFrame int) ([]byte, int) {
	for frames := 1; ; frames++ {
		out, start := beginFrame(b, FrameAMQP, channel)
		// The performative's size does not depend on More, so that its length tells how much payload fits.
		t.More = true
		out = appendComposite(out, &t)
		room := max(maxFrame-(len(out)-start), 1)
		if len(payload) <= room {
			t.More = false
			out = appendComposite(out[:start+frameHeader], &t)
			return endFrame(append(out, payload...), start), frames
		}
		b = endFrame(append(out, payload[:room]...), start)
		payload = payload[room:]
		t = Transfer{Handle: t.Handle} // what belongs to the delivery stands in its first frame only (2.7.5)
	}
}

func beginFrame(b []byte, typ byte, channel uint16) ([]byte, int) {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 2, typ)
	return binary.BigEndian.AppendUint16(b, channel), start
}

func endFrame(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}
