package cosmos

import (
	"errors"
	"fmt"
)

// errNotAtomic: the server answered a batch with success although an operation in it
// failed, or with too few results. No server that keeps the promise of a batch does that.
var errNotAtomic = errors.New("the server answered a batch with success and incomplete results")

// connectError: the account could not be read, so no request was sent.
type connectError struct{ err error }

func (e *connectError) Error() string { return fmt.Sprintf("connect: %v", e.err) }
func (e *connectError) Unwrap() error { return e.err }

// strayError: a container holds pending events of a kind that has another one. They are not
// sent: their entity would be written there, and their numbers given out a second time.
type strayError struct{ key, in, belongs string }

func (e *strayError) Error() string {
	return fmt.Sprintf("container %q holds pending events of %q, which belongs to %q: let them out with the setting as it was, or move the kind's documents", e.in, e.key, e.belongs)
}

// batchError: a batch was rolled back because of one operation.
type batchError struct {
	op     int // index of the operation
	status int
}

func (e *batchError) Error() string {
	return fmt.Sprintf("the batch was rolled back: operation %d failed with status %d", e.op, e.status)
}

// verdict carries an error that is an answer, not a fault: it ends the call at once.
type verdict struct{ err error }

func (v verdict) Error() string { return v.err.Error() }
func (v verdict) Unwrap() error { return v.err }
