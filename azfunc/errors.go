package azfunc

import "errors"

// Decoding an invocation (handler side).
var (
	// ErrMalformed: the request body is not the default protocol's document.
	// Nothing can be retried; answer 500.
	ErrMalformed = errors.New("malformed invocation")
	// ErrTooLarge: the request body is longer than MaxInvocation.
	ErrTooLarge = errors.New("invocation too large")
	// ErrNoBinding: the invocation has no data under the binding's name, so
	// function.json and the code disagree about it.
	ErrNoBinding = errors.New("no such binding in the invocation")
)

// Running an invocation (handler side).
var (
	// ErrDeadline is the cause of a context that a Mux ended because the
	// invocation took longer than MuxOptions.Deadline.
	ErrDeadline = errors.New("invocation deadline exceeded")
)

// Judging an answer (host side).
var (
	// ErrNoAnswer: a 2xx without a body, or with JSON null. The real host never
	// completes such an invocation: it hangs until functionTimeout.
	ErrNoAnswer = errors.New("the handler answered 2xx without a body: the invocation would hang until functionTimeout")
	// ErrFailed: a status outside 2xx. The host ignores the body.
	ErrFailed = errors.New("the handler reported a failure")
	// ErrInvalidAnswer: a 2xx that is not the protocol's JSON document.
	ErrInvalidAnswer = errors.New("invalid answer")
)
