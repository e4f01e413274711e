package azfunc

import (
	"io"
	"net/http"
	"time"
)

const (
	// maxUnread bounds what is read of a body that no function has read: the host takes
	// no longer request (FUNCTIONS_REQUEST_BODY_SIZE_LIMIT).
	maxUnread = 100 << 20
	// bodyTime is how long a body may take. The host has all of it before it calls, so
	// only somebody else is slower.
	bodyTime = 30 * time.Second
)

// incoming is the body of a request.
//
// The host sends the whole body before it looks for an answer. An answer that is given
// over its head, and a connection that is then closed, break its pipe: its client gets a
// 500 without a body instead. So whatever is answered, the body is read first.
type incoming struct {
	io.ReadCloser
	conn *http.ResponseController
	err  error // the first of Read
}

// Drain reads the body of a request that is going to be answered without a [Mux], which
// does so itself: the host sends the whole body before it looks for an answer.
func Drain(w http.ResponseWriter, r *http.Request) { receive(w, r).drain() }

// receive puts a time limit on the request's body. Without a body it is nil.
func receive(w http.ResponseWriter, r *http.Request) *incoming {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	body := &incoming{ReadCloser: r.Body, conn: http.NewResponseController(w)}
	_ = body.conn.SetReadDeadline(time.Now().Add(bodyTime)) // a test's recorder has no connection
	r.Body = body
	return body
}

// Read implements io.Reader. At the body's end the limit is lifted: the server goes on
// reading, to notice a client that leaves, and would take the time-out for that. After a
// failure it stays, because the server itself drains what it can.
func (b *incoming) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	b.err = err
	if err == io.EOF {
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

// drain reads what the function has left.
func (b *incoming) drain() {
	if b == nil || b.err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, b, maxUnread) // the answer is the same if the rest never comes
}
