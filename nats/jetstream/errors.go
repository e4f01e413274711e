package jetstream

import "errors"

var (
	// errClosed: Publish was called after Close, or Close cut it.
	errClosed = errors.New("the publisher is closed")
	// errNoAnswer: the stream did not acknowledge in time.
	errNoAnswer = errors.New("the broker did not acknowledge in time")
	// errLost: the connection broke before the acknowledgement came.
	errLost = errors.New("the connection was lost before the broker acknowledged")
	// errNoRight: the server says so on the connection, not in answer to the message.
	errNoRight = errors.New("the user may not publish to this subject")
)

// errAway: there is no connection. Nothing was sent.
var errAway = errors.New("not connected to a nats server")

// settingError is a connection that cannot be made as it is set. An operator mends it.
type settingError struct{ error }

// Unwrap returns what is wrong.
func (e *settingError) Unwrap() error { return e.error }
