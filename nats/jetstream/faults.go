package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/relaybox/relaybox/outbox"
)

// fault is a failed send, understood.
type fault struct {
	class outbox.Class
	// condition is the server's code for it, "" if it gave none.
	condition string
	err       error
	// after is when to try again; 0 leaves the choice to the dispatcher.
	after time.Duration
}

func (f *fault) of(e *outbox.Event, stream string) error {
	return &outbox.Error{
		Class: f.class, Condition: f.condition, RetryAfter: f.after,
		Op: fmt.Sprintf("publish event %d of %q to %q", e.Seq, e.Key, stream), Err: f.err,
	}
}

// conditions are the server's codes (server/errors.json) that say more than their status does.
var conditions = map[js.ErrorCode]outbox.Class{
	10054: outbox.TooLarge,    // message size exceeds maximum allowed
	10097: outbox.TooLarge,    // header size exceeds maximum allowed
	10023: outbox.Throttled,   // insufficient resources
	10028: outbox.Throttled,   // insufficient memory
	10047: outbox.Throttled,   // insufficient storage
	10077: outbox.Throttled,   // not stored: the stream is full, and refuses new messages
	10002: outbox.Throttled,   // the account's limits
	10122: outbox.Throttled,   // the account's limit of a stream
	10060: outbox.Unavailable, // the subject belongs to another stream
	10109: outbox.Unavailable, // sealed
	10120: outbox.Unavailable, // the account has no limits for such a stream
}

// inProcess: another copy of the event is being stored at this moment.
const inProcess js.ErrorCode = 10158

// unconnected understands why there is no connection. Nothing was sent.
func unconnected(ctx context.Context, err error) *fault {
	_, setting := errors.AsType[*settingError](err)
	switch {
	case ctx.Err() != nil:
		return &fault{class: outbox.Timeout, err: context.Cause(ctx)}
	case setting, unauthorized(err):
		return &fault{class: outbox.Unauthorized, err: err}
	}
	return &fault{class: outbox.Unavailable, err: err}
}

// unsent understands why a message did not get its acknowledgement, of a send under ctx.
func unsent(ctx context.Context, err error) *fault {
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		switch {
		case errors.Is(cause, errNoRight):
			return &fault{class: outbox.Unauthorized, err: cause}
		case errors.Is(cause, errLost):
			return &fault{class: outbox.Ambiguous, err: cause}
		}
		return &fault{class: outbox.Ambiguous, err: errors.Join(errNoAnswer, cause)}
	}
	if api, ok := errors.AsType[*js.APIError](err); ok {
		return &fault{class: classOf(api), condition: fmt.Sprintf("nats:%d", api.ErrorCode), err: err}
	}
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return &fault{class: outbox.TooLarge, condition: "nats:max_payload", err: err}
	case errors.Is(err, js.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		return &fault{class: outbox.Unavailable, err: err} // an operator's slip, or a stream without a leader
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting):
		return &fault{class: outbox.Unavailable, err: err}
	case errors.Is(err, nats.ErrBadSubject):
		return &fault{class: outbox.Rejected, condition: "nats:bad_subject", err: err}
	case unauthorized(err):
		return &fault{class: outbox.Unauthorized, err: err}
	}
	return &fault{class: outbox.Ambiguous, err: err} // lost on its way
}

// classOf goes by the status where the code says nothing. What the server refuses for a reason
// unknown here may be about the message: if it is not, others are refused alike.
func classOf(e *js.APIError) outbox.Class {
	if class, ok := conditions[e.ErrorCode]; ok {
		return class
	}
	switch {
	case e.Code == 429:
		return outbox.Throttled
	case e.Code == 401, e.Code == 403:
		return outbox.Unauthorized
	case e.Code == 404, e.Code == 409, e.Code >= 500:
		return outbox.Unavailable
	}
	return outbox.Rejected
}

func unauthorized(err error) bool {
	for _, known := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrPermissionViolation} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
