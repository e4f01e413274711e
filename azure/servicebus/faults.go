package servicebus

import (
	"context"
	"errors"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/outbox"
)

// phase says what we were doing when an error came.
type phase int

const (
	// attaching: no message was on its way, so none can be to blame.
	attaching phase = iota
	// sending a message or a batch.
	sending
)

// conditions that say what is wrong. Those of content blame a message only if one was
// being sent; while attaching they are about the entity.
var conditions = map[amqp.ErrCond]struct {
	class   outbox.Class
	content bool
}{
	"com.microsoft:server-busy":         {class: outbox.Throttled},
	amqp.ErrCondResourceLimitExceeded:   {class: outbox.Throttled}, // the entity is full
	"com.microsoft:timeout":             {class: outbox.Timeout},
	"com.microsoft:operation-cancelled": {class: outbox.Unavailable},
	amqp.ErrCondUnauthorizedAccess:      {class: outbox.Unauthorized},
	// Missing and disabled entities are an operator's slip, not poison: every message waits
	// and goes out once it is mended.
	amqp.ErrCondNotFound:                      {class: outbox.Unavailable},
	"com.microsoft:entity-disabled":           {class: outbox.Unavailable},
	amqp.ErrCondMessageSizeExceeded:           {class: outbox.TooLarge, content: true},
	amqp.ErrCondNotAllowed:                    {class: outbox.Rejected, content: true}, // "The SessionId was not set …"
	amqp.ErrCondInvalidField:                  {class: outbox.Rejected, content: true},
	amqp.ErrCondNotImplemented:                {class: outbox.Rejected, content: true},
	amqp.ErrCondPreconditionFailed:            {class: outbox.Rejected, content: true},
	"com.microsoft:argument-error":            {class: outbox.Rejected, content: true},
	"com.microsoft:argument-out-of-range":     {class: outbox.Rejected, content: true},
	"com.microsoft:message-not-supported":     {class: outbox.Rejected, content: true},
	"com.microsoft:partition-key-not-matched": {class: outbox.Rejected, content: true},
}

// fault is a failed send, understood.
type fault struct {
	class outbox.Class
	// condition is the broker's name for it, "" if it gave none.
	condition string
	// broken: the session can't be trusted any more.
	broken bool
	err    error
}

// diagnose understands an error that came in a phase under ctx.
func diagnose(ctx context.Context, err error, in phase) fault {
	f := fault{class: classOf(err, in), condition: conditionOf(err), err: readable(err)}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		f.class, f.condition, f.err = outbox.Timeout, "", errors.Join(errNoAnswer, context.Cause(ctx))
	}
	// Only a plain answer to the message (a disposition) leaves the link as it was.
	f.broken = detached(err) || (f.class != outbox.Throttled && !f.class.Permanent())
	return f
}

// refusal is the broker's own error, as people read it: the library prints it as a Go value.
type refusal struct{ of *amqp.Error }

func (r refusal) Error() string {
	if r.of.Description == "" {
		return string(r.of.Condition)
	}
	return string(r.of.Condition) + ": " + r.of.Description
}

// Unwrap returns what the library returned.
func (r refusal) Unwrap() error { return r.of }

func readable(err error) error {
	if e, ok := err.(*amqp.Error); ok { //nolint:errorlint // what is around it would be lost
		return refusal{e}
	}
	return err
}

func classOf(err error, in phase) outbox.Class {
	if errors.Is(err, azservicebus.ErrMessageTooLarge) {
		return outbox.TooLarge
	}
	if _, ok := errors.AsType[*access.TokenError](err); ok {
		return outbox.Unauthorized
	}
	if _, ok := errors.AsType[*access.SettingError](err); ok {
		return outbox.Unauthorized
	}
	if c, ok := conditions[condition(err)]; ok {
		if c.content && in == attaching {
			return outbox.Unavailable
		}
		return c.class
	}
	if e, ok := errors.AsType[*azservicebus.Error](err); ok && e.Code != azservicebus.CodeConnectionLost {
		return codeClass(e.Code)
	}
	if in == sending && rejected(err) {
		return outbox.Rejected
	}
	return outbox.Unavailable
}

func codeClass(code azservicebus.Code) outbox.Class {
	switch code {
	case azservicebus.CodeUnauthorizedAccess:
		return outbox.Unauthorized
	case azservicebus.CodeTimeout:
		return outbox.Timeout
	}
	return outbox.Unavailable // not found, closed, and what is to come
}

// condition returns the AMQP condition of err, "" if it has none.
//
// For conditions that the SDK doesn't know it reports a lost connection and keeps the
// cause to itself, but for the text. A message that the broker refuses with one of them
// would look like an outage, and stop all keys for ever, if nobody read that text.
func condition(err error) amqp.ErrCond {
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		return e.Condition
	}
	if e, ok := errors.AsType[*azservicebus.Error](err); ok {
		_, rest, _ := strings.Cut(e.Error(), "Condition: ")
		name, _, _ := strings.Cut(rest, ",")
		return amqp.ErrCond(name)
	}
	return ""
}

// conditionOf is what one refusal is compared with another by.
func conditionOf(err error) string {
	if errors.Is(err, azservicebus.ErrMessageTooLarge) {
		return string(amqp.ErrCondMessageSizeExceeded) // the SDK knows the link's limit
	}
	if c := condition(err); c != "" {
		return string(c)
	}
	if rejected(err) {
		return "rejected"
	}
	return ""
}

// rejected says whether the broker rejected the message without a reason, in go-amqp's words.
func rejected(err error) bool { return strings.Contains(err.Error(), "the peer rejected the message") }

// detached says whether err came with the end of a link, session or connection.
func detached(err error) bool {
	if _, ok := errors.AsType[*amqp.LinkError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*amqp.SessionError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*amqp.ConnError](err); ok {
		return true
	}
	e, ok := errors.AsType[*azservicebus.Error](err)
	return ok && (e.Code == azservicebus.CodeConnectionLost || e.Code == azservicebus.CodeClosed)
}
