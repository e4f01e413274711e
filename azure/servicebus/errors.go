package servicebus

import "errors"

var (
	// errClosed: Publish was called after Close, or Close cut it.
	errClosed = errors.New("the publisher is closed")
	// errNoAnswer: the broker did not confirm in time.
	errNoAnswer = errors.New("the broker did not answer in time")
)
