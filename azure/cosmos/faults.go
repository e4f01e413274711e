package cosmos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/relaybox/relaybox/azure/access"
	"github.com/relaybox/relaybox/outbox"
)

// effect says what a failed attempt did to the store.
type effect int

const (
	// nothing: it was not carried out.
	nothing effect = iota
	// hardly: the service says that it was not carried out, in a state (a partition on the
	// move) where nobody would swear to it. It is repeated, and a conflict after that is
	// taken for our own doing.
	hardly
	// unknown: it may have been carried out.
	unknown
)

// fault is a failed attempt, understood.
type fault struct {
	class  outbox.Class
	effect effect
	// again: the same request may succeed in a moment.
	again bool
	// stale: the session token asked for more than the replica had.
	stale bool
	// elsewhere: there may be another container under the name now.
	elsewhere bool
	after     time.Duration
	err       error
}

// op names an operation in errors: `commit "p-1"`.
type op struct{ verb, what string }

func (o op) String() string { return fmt.Sprintf("%s %q", o.verb, o.what) }

func (f fault) classified(o op) *outbox.Error {
	return &outbox.Error{Class: f.class, RetryAfter: f.after, Op: o.String(), Err: f.err}
}

// diagnose understands the error of one attempt under ctx. sent tells whether the
// request had a connection.
func diagnose(ctx context.Context, err error, sent bool) fault {
	if e, ok := errors.AsType[*batchError](err); ok {
		f := statusFault(e.status, 0)
		f.effect, f.err = nothing, err // rolled back, whatever the operation's own status says
		return f
	}
	if _, ok := errors.AsType[*access.TokenError](err); ok && ctx.Err() == nil {
		return fault{class: outbox.Unauthorized, err: err}
	}
	if _, ok := errors.AsType[*access.SettingError](err); ok {
		return fault{class: outbox.Unauthorized, err: err}
	}
	f := transportFault(ctx, err, sent)
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok {
		f = responseFault(e)
	}
	if _, ok := errors.AsType[*connectError](err); ok {
		// Whatever happened, it happened to the account read.
		f.effect, f.again = nothing, f.again || f.class == outbox.Unavailable
	}
	return f
}

// transportFault is about an attempt without an answer, or with a broken one.
func transportFault(ctx context.Context, err error, sent bool) fault {
	f := fault{class: outbox.Unavailable, again: true, err: err}
	if sent {
		f.effect = unknown
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		f.class = outbox.Timeout
	}
	return f
}

// responseFault is about an HTTP status.
func responseFault(e *azcore.ResponseError) fault {
	sub := 0
	var after time.Duration
	if r := e.RawResponse; r != nil {
		sub, _ = strconv.Atoi(r.Header.Get("x-ms-substatus"))
		after = retryAfter(r.Header)
	}
	f := statusFault(e.StatusCode, sub)
	f.after, f.err = after, short(e, sub)
	return f
}

// statusFault is the table: what each status means for a request that may have changed
// something. Statuses that answer the question (404 of a read, 409 and 412 of a
// condition) are taken by the callers before they come here.
func statusFault(status, sub int) fault {
	switch status {
	case http.StatusTooManyRequests:
		return fault{class: outbox.Throttled, again: true}
	case 449: // Retry With: a write collided inside the service
		return fault{class: outbox.Throttled, again: true}
	case http.StatusGone, http.StatusServiceUnavailable:
		return fault{class: outbox.Unavailable, effect: hardly, again: true, elsewhere: status == http.StatusGone}
	case http.StatusRequestTimeout:
		return fault{class: outbox.Timeout, effect: unknown, again: true}
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return fault{class: outbox.Unavailable, effect: unknown, again: true}
	case http.StatusUnauthorized:
		return fault{class: outbox.Unauthorized}
	case http.StatusForbidden:
		return forbiddenFault(sub)
	case http.StatusNotFound:
		// Not of an item but of the container or database: somebody has to create it. With
		// substatus 1002 a replica lags behind the session token.
		return fault{class: outbox.Unavailable, again: sub == 1002, stale: sub == 1002, elsewhere: true}
	case http.StatusConflict, http.StatusPreconditionFailed:
		return fault{class: outbox.Unavailable, again: true}
	case http.StatusRequestEntityTooLarge:
		return fault{class: outbox.TooLarge}
	}
	if status >= 500 {
		return fault{class: outbox.Unavailable, effect: unknown, again: true}
	}
	return fault{class: outbox.Rejected}
}

func forbiddenFault(sub int) fault {
	switch sub {
	case 3, 1008: // the region is not the write region (any more)
		return fault{class: outbox.Unavailable, again: true}
	case 1014: // the logical partition has reached 20 GB
		return fault{class: outbox.TooLarge}
	}
	return fault{class: outbox.Unauthorized}
}

// retryAfter reads the service's wish.
func retryAfter(h http.Header) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("x-ms-retry-after-ms"), 64); err == nil && ms > 0 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	if s, err := strconv.Atoi(h.Get("Retry-After")); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	return 0
}

// statusError is an *azcore.ResponseError on one line.
type statusError struct {
	status, sub int
	request     string
	err         *azcore.ResponseError
}

func (e *statusError) Error() string {
	return fmt.Sprintf("status %d/%d (%s), activity %s", e.status, e.sub, http.StatusText(e.status), e.request)
}
func (e *statusError) Unwrap() error { return e.err }

// short keeps the pages of text that the SDK prints out of logs and answers.
func short(e *azcore.ResponseError, sub int) error {
	s := &statusError{status: e.StatusCode, sub: sub, err: e}
	if e.RawResponse != nil {
		s.request = e.RawResponse.Header.Get("x-ms-activity-id")
	}
	return s
}
