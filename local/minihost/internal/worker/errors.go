package worker

import "errors"

// Keeping the handler alive.
var (
	// ErrCrashed: the handler exited three times within 30 minutes. It is not
	// started again; the host gives up.
	ErrCrashed = errors.New("the handler crashed three times: the host gives up")
	// ErrNeverReady: with ErrCrashed, it ended by itself each time, and never answered.
	ErrNeverReady = errors.New("it has never answered")
	// ErrNotReady: Wait took four times initializationTimeout.
	ErrNotReady = errors.New("the handler does not answer on FUNCTIONS_CUSTOMHANDLER_PORT")
	// ErrStart: the operating system refused to start the executable.
	ErrStart = errors.New("the handler cannot be started")
)

// Sending a request. Both mean: failed.
var (
	// ErrTimeout: the answer took too long. The caller restarts the handler.
	ErrTimeout = errors.New("functionTimeout exceeded")
	// ErrTransport: the handler refused or closed the connection.
	ErrTransport = errors.New("no answer from the handler")
)
