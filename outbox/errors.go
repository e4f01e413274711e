package outbox

import (
	"errors"
	"fmt"
	"time"
)

// Sentinels of the write side.
var (
	// ErrConflict: the entity, or an event, was changed since it was read. Read again and decide again.
	ErrConflict = errors.New("it was changed by somebody else since it was read")
	// ErrKeyReused: the Idempotency-Key was used for another request. The client's mistake.
	ErrKeyReused = errors.New("the idempotency key was used for another request")
	// ErrTwinInFlight: a request with the same Idempotency-Key was stored, and its
	// receipt can't be read yet. Try again in a moment.
	ErrTwinInFlight = errors.New("a request with the same idempotency key is being carried out")
	// ErrContended: other writers were faster until the request's time was over, or too many
	// wait for the same entity. Nothing was stored; try again.
	ErrContended = errors.New("too many writes at the same time")

	// errPatience is the cause of a Write's end after WriterOptions.Patience.
	errPatience = errors.New("the write took too long")
)

// ReceiptExistsError says that a request with the same Idempotency-Key was committed first,
// or this one, before. Its receipt has the answer.
type ReceiptExistsError struct {
	// ID is the receipt's.
	ID string
}

// Error names the receipt.
func (e *ReceiptExistsError) Error() string {
	return fmt.Sprintf("a request with the same idempotency key was stored first: its receipt is %q", e.ID)
}

// EventTooLargeError says that a change was refused because its event would not fit
// into a message. Nothing was stored.
type EventTooLargeError struct {
	Type      string
	Size, Max int // bytes of the encoded envelope
}

// Error names the type, the size and the limit.
func (e *EventTooLargeError) Error() string {
	return fmt.Sprintf("event %q would have %d bytes, the limit is %d", e.Type, e.Size, e.Max)
}

// Sentinels of the dispatcher.
var (
	// ErrNotAttempted: an earlier event of the same key failed, so this one was not
	// sent. It counts for nothing.
	ErrNotAttempted = errors.New("not sent: an earlier event of the same key failed")

	// errDeferred ends a drain whose key waits by itself: its first event was refused.
	errDeferred = errors.New("the key's first event was refused and is tried again later")
	// errChanged ends a drain whose event was not as it was read any more.
	errChanged = errors.New("the event was changed while its key was drained")
	// errBudget is the cause of a fast-path drain that was cut.
	errBudget = errors.New("the fast path's budget is used up")
)

// Class says what an error means for the protocol. The classes differ in what the
// caller does next, nothing else.
type Class int

const (
	// Unclassified: nobody knew the error. Treated like Unavailable.
	Unclassified Class = iota
	// Throttled: the other side asks for patience; see RetryAfter. Costs no attempt.
	Throttled
	// Unavailable: the other side is away or restarting. Costs no attempt.
	Unavailable
	// Timeout: no answer in time and nothing was changed, or repeating is harmless. Costs no attempt.
	Timeout
	// Unauthorized: credentials are missing, expired or lack a right. Costs no attempt:
	// an operator mends it and everything goes on by itself.
	Unauthorized
	// Ambiguous: the request was sent and the answer lost; it may have been applied.
	Ambiguous
	// TooLarge: this message or batch can never be stored or sent. Counts as an attempt,
	// unless the destination refuses everything.
	TooLarge
	// Rejected: the other side refuses this message for what it is. Counts like TooLarge.
	Rejected
)

var classNames = [...]string{"unclassified", "throttled", "unavailable", "timeout", "unauthorized", "ambiguous", "too large", "rejected"}

// String is the class as logs have it.
func (c Class) String() string {
	if c < 0 || int(c) >= len(classNames) {
		return fmt.Sprintf("class %d", int(c))
	}
	return classNames[c]
}

// Permanent says whether repeating the same thing can never help.
func (c Class) Permanent() bool { return c == TooLarge || c == Rejected }

// Error is a fault of the store or the broker, classified by the adapter that met it.
type Error struct {
	Class Class
	// RetryAfter is the other side's own wish; 0 when it named none.
	RetryAfter time.Duration
	// Condition is the other side's own name for what is wrong, such as
	// "amqp:not-allowed"; "" when it gave none. The same condition for one key after another
	// speaks of the destination.
	Condition string
	// Op names the operation and its key: `commit "order:7"`.
	Op  string
	Err error
}

// Error names the operation, the class and the fault.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: %s", e.Op, e.Class)
	}
	return fmt.Sprintf("%s: %s: %v", e.Op, e.Class, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of err, Unclassified when no adapter classified it.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Unclassified
}

// ConditionOf returns what the other side called the fault, "" when it had no name for it.
func ConditionOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Condition
	}
	return ""
}

// RetryAfterOf returns the wait that the other side asked for, 0 when it named none.
func RetryAfterOf(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}
