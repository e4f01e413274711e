package azfunc

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"sync"
)

// buffered holds an answer until its function has returned, so that a panic
// can still become a 500. The host buffers answers in any case.
type buffered struct {
	header http.Header
	status int // 0 until the handler wrote
	body   *bytes.Buffer
	err    error // reported by Handle, logged by the Mux
}

// maxPooled keeps one large answer from pinning its buffer for ever.
const maxPooled = 1 << 16

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func newBuffered() *buffered {
	return &buffered{header: make(http.Header, 4), body: bodies.Get().(*bytes.Buffer)}
}

func (b *buffered) free() {
	if b.body.Cap() > maxPooled {
		return
	}
	b.body.Reset()
	bodies.Put(b.body)
}

// Header implements http.ResponseWriter.
func (b *buffered) Header() http.Header { return b.header }

// WriteHeader implements http.ResponseWriter; as there, the first call counts.
func (b *buffered) WriteHeader(status int) {
	if b.status == 0 && status >= 200 {
		b.status = status
	}
}

// Write implements http.ResponseWriter.
func (b *buffered) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

func (b *buffered) fail(err error) { b.err = err }

func (b *buffered) empty2xx() bool {
	return b.status < 300 && b.body.Len() == 0
}

func (b *buffered) reset() {
	clear(b.header)
	b.status = 0
	b.body.Reset()
}

// flush sends the whole answer with its length.
func (b *buffered) flush(w http.ResponseWriter) {
	b.WriteHeader(http.StatusOK)
	maps.Copy(w.Header(), b.header)
	if b.status != http.StatusNoContent && b.status != http.StatusNotModified && w.Header().Get("Content-Length") == "" {
		w.Header().Set("Content-Length", strconv.Itoa(b.body.Len()))
	}
	w.WriteHeader(b.status)
	// An error here means that the host went away; there is nobody to tell.
	_, _ = w.Write(b.body.Bytes())
}
