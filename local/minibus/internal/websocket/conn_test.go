package websocket

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// frame is what a client sends.
func frame(first byte, load string) []byte {
	mask := [4]byte{0xa1, 0xb2, 0xc3, 0xd4}
	b := []byte{first}
	switch n := len(load); {
	case n < 126:
		b = append(b, masked|byte(n))
	case n < 1<<16:
		b = append(b, masked|126, byte(n>>8), byte(n))
	default:
		b = append(b, masked|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	b = append(b, mask[:]...)
	for i := range len(load) {
		b = append(b, load[i]^mask[i%4])
	}
	return b
}

// sink is a connection that notes what is written to it.
type sink struct {
	net.Conn
	bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) { return s.Buffer.Write(p) }
func (s *sink) Read(p []byte) (int, error)  { return s.Buffer.Read(p) }

// exchange reads all that a client sends and returns it with what was answered.
func exchange(sent []byte) (got, answered []byte, err error) {
	s := &sink{}
	c := &Conn{Conn: s, in: bufio.NewReader(bytes.NewReader(sent))}
	got, err = io.ReadAll(c)
	return got, s.Bytes(), err
}

func TestFramesAreAStream(t *testing.T) {
	t.Parallel()
	long, huge := string(bytes.Repeat([]byte("ab"), 300)), string(bytes.Repeat([]byte("x"), 70_000))
	got, answered, err := exchange(bytes.Join([][]byte{
		frame(final|opBinary, "one"), frame(final|opBinary, ""), frame(opBinary, "tw"), frame(final|opPing, "?"), frame(opContinuation, ""),
		frame(final|opContinuation, "o"), frame(final|opPong, ""), frame(final|opBinary, long), frame(final|opBinary, huge), frame(final|opClose, "\x03\xe8"), frame(final|opBinary, "late"),
	}, nil))
	require.NoError(t, err)
	require.Equal(t, "onetwo"+long+huge, string(got))
	require.Equal(t, []byte{final | opPong, 1, '?', final | opClose, 2, 0x03, 0xe8}, answered)
}

func TestBrokenFrames(t *testing.T) {
	t.Parallel()
	bare := frame(final|opBinary, "x")
	bare[1] &^= masked
	for name, c := range map[string]struct {
		sent   []byte
		status byte // of the close, without its first byte; 0: none
		want   error
	}{
		"not masked":            {bare, 0xea, ErrProtocol},
		"reserved bit":          {frame(final|0x40|opBinary, "x"), 0xea, ErrProtocol},
		"text":                  {frame(final|0x1, "x"), 0xeb, ErrProtocol},
		"unknown":               {frame(final|0x3, "x"), 0xea, ErrProtocol},
		"unknown control":       {frame(final|0xb, "x"), 0xea, ErrProtocol},
		"long ping":             {frame(final|opPing, string(make([]byte, 126))), 0xea, ErrProtocol},
		"ping in parts":         {frame(opPing, "x"), 0xea, ErrProtocol},
		"continues nothing":     {frame(final|opContinuation, "x"), 0xea, ErrProtocol},
		"message in a message":  {append(frame(opBinary, "x"), frame(final|opBinary, "y")...), 0xea, ErrProtocol},
		"longer than there are": {[]byte{final | opBinary, masked | 127, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 0xea, ErrProtocol},
		"cut header":            {frame(final|opBinary, "x")[:3], 0, io.ErrUnexpectedEOF},
		"cut length":            {[]byte{final | opBinary, masked | 126, 0}, 0, io.ErrUnexpectedEOF},
		"cut data":              {frame(final|opBinary, "xyz")[:8], 0, io.ErrUnexpectedEOF},
		"cut ping":              {frame(final|opPing, "xyz")[:8], 0, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, answered, err := exchange(c.sent)
			require.ErrorIs(t, err, c.want)
			if c.status == 0 {
				require.Empty(t, answered)
			} else {
				require.Equal(t, []byte{final | opClose, 2, 0x03, c.status}, answered)
			}
		})
	}
}

// What is written comes as one frame with the length that it has.
func TestWrite(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		s := &sink{}
		load := bytes.Repeat([]byte{7}, n)
		wrote, err := (&Conn{Conn: s}).Write(load)
		require.NoError(t, err)
		require.Equal(t, n, wrote)
		got, header := s.Bytes(), 2
		if n > 125 {
			header = 4
		}
		if n > 65535 {
			header = 10
		}
		require.EqualValues(t, final|opBinary, got[0])
		require.Equal(t, load, append([]byte{}, got[header:]...))
	}
}

// A pong and what is being written do not get into each other.
func TestPongBetweenWrites(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	c := &Conn{Conn: here, in: bufio.NewReader(here)}
	require.NoError(t, there.SetDeadline(time.Now().Add(time.Minute)))
	go func() { _, _ = io.Copy(io.Discard, c) }()
	go func() {
		for range 100 {
			if _, err := c.Write([]byte("data")); err != nil {
				return
			}
		}
	}()
	go func() {
		for range 100 {
			if _, err := there.Write(frame(final|opPing, "ping")); err != nil {
				return
			}
		}
	}()
	seen := map[string]int{}
	for range 200 {
		var b [6]byte
		_, err := io.ReadFull(there, b[:])
		require.NoError(t, err)
		seen[string(b[:])]++
	}
	require.Equal(t, map[string]int{"\x82\x04data": 100, "\x8a\x04ping": 100}, seen)
	require.NoError(t, c.Close())
}

// Nothing that a client sends may panic, or give more bytes than it has sent.
func FuzzRead(f *testing.F) {
	f.Add(frame(final|opBinary, "x"))
	f.Add(append(frame(opBinary, "x"), frame(final|opPing, "y")...))
	f.Fuzz(func(t *testing.T, sent []byte) {
		got, _, err := exchange(sent)
		if len(got) > len(sent) {
			t.Fatal(len(got))
		}
		if err != nil && !errors.Is(err, ErrProtocol) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
	})
}
