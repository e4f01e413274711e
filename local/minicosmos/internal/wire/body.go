package wire

import (
	"errors"
	"io"

	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"golang.org/x/sync/semaphore"
)

// maxRequest is the largest request body in bytes (the service's limit).
const maxRequest = 2 << 20

// MaxBodies bounds the bytes of request bodies that are held at once; more wait. A
// parsed body can be some forty times as large as its text.
const MaxBodies = 32 << 20

// ReadBody reads the body within the limits, and waits until memory, which has MaxBodies, can take it; release gives its memory back.
func (r *Request) ReadBody(memory *semaphore.Weighted) (release func(), bad *refusal.Error) {
	size := r.ContentLength
	switch {
	case size == 0:
		return func() {}, nil
	case size > maxRequest:
		return nil, refusal.TooLarge
	case size < 0:
		size = maxRequest
	}
	if err := memory.Acquire(r.Context(), size); err != nil {
		return nil, refusal.Closed
	}
	release = func() { memory.Release(size) }
	body, err := readAtMost(r.Body, size, maxRequest)
	if err != nil {
		release()
		if errors.Is(err, refusal.TooLarge) {
			return nil, refusal.TooLarge
		}
		return nil, refusal.BadRequest("The body cannot be read: %v", err)
	}
	r.body = body
	return release, nil
}

func readAtMost(body io.Reader, expected int64, limit int) ([]byte, error) {
	if expected == int64(limit) {
		b, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
		if len(b) > limit {
			return nil, refusal.TooLarge
		}
		return b, err
	}
	b := make([]byte, expected)
	_, err := io.ReadFull(body, b)
	return b, err
}
