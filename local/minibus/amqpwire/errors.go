package amqpwire

import (
	"errors"
	"fmt"
)

// Faults of the bytes. All of them mean: answer with the AMQP error named here and stop reading this connection.
var (
	// ErrTruncated: a value says that it is longer than the bytes that hold it (amqp:decode-error).
	ErrTruncated = errors.New("value is cut short")
	// ErrMalformed: the bytes are no valid encoding of what must stand there (amqp:decode-error).
	ErrMalformed = errors.New("malformed value")
	// ErrTooDeep: values are nested deeper than maxDepth, or there are more than fit the input (amqp:decode-error).
	ErrTooDeep = errors.New("value is nested too deeply or holds too many elements")
	// ErrFrame: the frame header is impossible: bad size, data offset or type (amqp:connection:framing-error).
	ErrFrame = errors.New("malformed frame")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

// Conditions of AMQP 2.8.15–2.8.18 and 4.5.4, and of Service Bus, to the letter.
const (
	CondInternalError       Symbol = "amqp:internal-error"
	CondNotFound            Symbol = "amqp:not-found"
	CondUnauthorized        Symbol = "amqp:unauthorized-access"
	CondDecodeError         Symbol = "amqp:decode-error"
	CondResourceLimit       Symbol = "amqp:resource-limit-exceeded"
	CondNotAllowed          Symbol = "amqp:not-allowed"
	CondInvalidField        Symbol = "amqp:invalid-field"
	CondNotImplemented      Symbol = "amqp:not-implemented"
	CondIllegalState        Symbol = "amqp:illegal-state"
	CondConnectionForced    Symbol = "amqp:connection:forced"
	CondFramingError        Symbol = "amqp:connection:framing-error"
	CondWindowViolation     Symbol = "amqp:session:window-violation"
	CondErrantLink          Symbol = "amqp:session:errant-link"
	CondHandleInUse         Symbol = "amqp:session:handle-in-use"
	CondUnattachedHandle    Symbol = "amqp:session:unattached-handle"
	CondDetachForced        Symbol = "amqp:link:detach-forced"
	CondTransferLimit       Symbol = "amqp:link:transfer-limit-exceeded"
	CondMessageSizeExceeded Symbol = "amqp:link:message-size-exceeded"
	CondUnknownTransaction  Symbol = "amqp:transaction:unknown-id"
	CondRolledBack          Symbol = "amqp:transaction:rollback"
	CondTransactionTimeout  Symbol = "amqp:transaction:timeout"
)

// Error is the AMQP error type (2.8.14): what a peer is told, and a Go error at the same time.
type Error struct {
	Condition   Symbol
	Description string
	Info        Raw // a map, or nil
}

// Errorf returns an Error with a formatted description.
func Errorf(condition Symbol, format string, args ...any) *Error {
	return &Error{Condition: condition, Description: fmt.Sprintf(format, args...)}
}

// Error is the condition and the description, as they go over the wire.
func (e *Error) Error() string { return string(e.Condition) + ": " + e.Description }

func (e *Error) code() byte { return 0x1d }
func (e *Error) layout(c *coder) {
	c.symbol(&e.Condition)
	c.string(&e.Description)
	c.raw(&e.Info)
}
