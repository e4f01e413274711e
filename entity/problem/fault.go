package problem

import (
	"context"
	"errors"
	"time"

	"github.com/relaybox/relaybox/outbox"
)

// How long a client waits when the store named no time itself.
const (
	soon  = time.Second      // another request is in the way
	later = 5 * time.Second  // an outage
	long  = 30 * time.Second // an operator has to act
)

// unknownDetail is what a client needs after a commit whose answer was lost.
const unknownDetail = "The store did not answer, so the change may have been made or not. " +
	"With an Idempotency-Key, send the same request under the same key again: it is carried out once. " +
	"Without one, read the entity first, or send the request with the If-Match of the version it is meant for."

// From turns any error of a function into a problem: one is left as it is, the
// outbox's errors have their kinds, the end of ctx is a matter of time, and anything
// else is Internal.
func From(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	p := classify(ctx, err)
	p.Cause = err
	return p
}

func classify(ctx context.Context, err error) *Problem {
	if fault, ok := errors.AsType[*outbox.Error](err); ok {
		return fromStore(fault)
	}
	if large, ok := errors.AsType[*outbox.EventTooLargeError](err); ok {
		p := New(EventTooLarge, "The event %q would have %d bytes; at most %d fit into a message.", large.Type, large.Size, large.Max)
		p.Size, p.Limit = large.Size, large.Max
		return p
	}
	switch {
	case errors.Is(err, outbox.ErrKeyReused):
		return New(KeyReused, "This Idempotency-Key came with another method, body or condition before. Use a new key for a new request.")
	case errors.Is(err, outbox.ErrTwinInFlight):
		return retry(soon, InProgress, "A request with the same Idempotency-Key is being carried out. Ask again for its answer.")
	case errors.Is(err, outbox.ErrContended):
		return retry(soon, Unavailable, "Others were writing the same entity all the time.")
	case ctx.Err() != nil && (errors.Is(err, context.Cause(ctx)) || errors.Is(err, ctx.Err())):
		return retry(soon, Unavailable, "The time for this request ran out.")
	}
	return New(Internal, "The log has the details under this instance.")
}

func fromStore(fault *outbox.Error) *Problem {
	wait := func(otherwise time.Duration) time.Duration {
		if fault.RetryAfter > 0 {
			return fault.RetryAfter
		}
		return otherwise
	}
	switch fault.Class {
	case outbox.Throttled:
		return retry(wait(soon), Throttled, "The store asks for patience.")
	case outbox.Ambiguous:
		return retry(wait(soon), Unknown, unknownDetail)
	case outbox.Unauthorized:
		return retry(wait(long), Unavailable, "The store refused us, and an operator has been told.")
	case outbox.TooLarge:
		return New(EventTooLarge, "The store does not take a change of this size.")
	case outbox.Rejected:
		return New(Internal, "The store refused the change. The log has the details under this instance.")
	default:
		return retry(wait(later), Unavailable, "The store is away or slow.")
	}
}

func retry(after time.Duration, k Kind, detail string) *Problem {
	return &Problem{Kind: k, Detail: detail, RetryAfter: after}
}
