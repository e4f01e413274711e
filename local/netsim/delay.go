package netsim

import (
	"net"
	"sync"
	"time"
)

// inFlight bounds the chunks that a slow connection holds in each direction; a writer
// that is further ahead waits, as behind a full TCP window.
const inFlight = 256

// flushLimit is how long a closed connection waits for a peer that does not read.
const flushLimit = 5 * time.Second

// slowConn delivers every chunk a fixed time after it was sent, in order. Chunks travel
// side by side: the delay is latency, not bandwidth.
//
// Two goroutines belong to it: arrive reads from the wire until the connection is
// closed, depart writes to the wire until Close has been called and the queue is empty.
type slowConn struct {
	*conn
	delay time.Duration
	in    chan chunk // arrive → Read; closed by arrive
	out   chan chunk // Write → depart
	done  chan struct{}
	once  sync.Once

	rest    []byte // owner: the one caller of Read
	readErr error  // written by arrive before it closes in
	werr    chan error
}

type chunk struct {
	data []byte
	due  time.Time
}

func slow(c *conn, delay time.Duration) net.Conn {
	s := &slowConn{
		conn: c, delay: delay,
		in: make(chan chunk, inFlight), out: make(chan chunk, inFlight),
		done: make(chan struct{}), werr: make(chan error, 1),
	}
	go s.arrive()
	go s.depart()
	return s
}

func (s *slowConn) arrive() {
	defer close(s.in)
	s.readErr = net.ErrClosed
	for {
		buf := make([]byte, 16<<10)
		n, err := s.conn.Conn.Read(buf)
		if n > 0 {
			select {
			case s.in <- chunk{buf[:n], time.Now().Add(s.delay)}:
			case <-s.done:
				return
			}
		}
		if err != nil {
			s.readErr = err
			return
		}
	}
}

func (s *slowConn) depart() {
	defer func() { _ = s.conn.Close() }()
	for {
		select {
		case c := <-s.out:
			time.Sleep(time.Until(c.due))
			if _, err := s.conn.Conn.Write(c.data); err != nil {
				s.werr <- err
				return
			}
		case <-s.done:
			s.flush()
			return
		}
	}
}

// flush sends what was written before Close, to a peer that still reads.
func (s *slowConn) flush() {
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.delay + flushLimit))
	for {
		select {
		case c := <-s.out:
			time.Sleep(time.Until(c.due))
			if _, err := s.conn.Conn.Write(c.data); err != nil {
				return
			}
		default:
			return
		}
	}
}

func (s *slowConn) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		c, ok := <-s.in
		if !ok {
			return 0, s.readErr
		}
		time.Sleep(time.Until(c.due))
		s.rest = c.data
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *slowConn) Write(p []byte) (int, error) {
	select {
	case <-s.done:
		return 0, net.ErrClosed
	case err := <-s.werr:
		s.werr <- err
		return 0, err
	default:
	}
	select {
	case s.out <- chunk{append([]byte(nil), p...), time.Now().Add(s.delay)}:
		return len(p), nil
	case err := <-s.werr:
		s.werr <- err
		return 0, err
	case <-s.done:
		return 0, net.ErrClosed
	}
}

// Close sends what is under way and closes the connection behind it.
func (s *slowConn) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}
