package cosmos

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"

	"github.com/relaybox/relaybox/internal/pace"
	"github.com/relaybox/relaybox/outbox"
)

// maxTries bounds the attempts of one call.
const maxTries = 8

// retryPause is between them, unless the service wishes for a longer one.
var retryPause = pace.Backoff{First: 25 * time.Millisecond, Max: 1600 * time.Millisecond}

// mode says whether a request may be repeated when nobody knows what became of it.
type mode int

const (
	// idempotent: a read, or a write whose repetition changes nothing more.
	idempotent mode = iota
	// once: a commit.
	once
)

// request is one attempt of a call.
type request func(ctx context.Context, items *azcosmos.ContainerClient) error

// do runs a request until it succeeds, answers with a verdict, fails for good, or the
// budget or the caller's time is used up. A commit of which one try may have been carried
// out ends as Ambiguous, whatever the later ones say: they may be refused by what the first
// one has stored, or throttled after it.
func (k *container) do(ctx context.Context, o op, m mode, f request) error {
	start := time.Now()
	doubt := false
	for try := 1; ; try++ {
		err, sent := k.attempt(ctx, o, f)
		if err == nil {
			return nil
		}
		if v, ok := errors.AsType[verdict](err); ok {
			if doubt && m == once {
				return &outbox.Error{Class: outbox.Ambiguous, Op: o.String(), Err: v.err}
			}
			return v.err
		}
		flt := diagnose(ctx, err, sent)
		doubt = doubt || flt.effect != nothing
		if m == once && flt.effect == unknown {
			flt.again = false
		}
		if flt.stale {
			k.behind(ctx, try)
		}
		if flt.elsewhere {
			k.place.doubt()
		}
		wait := retryPause.Wait(try, flt.after)
		if !flt.again || try == maxTries || time.Since(start)+wait > k.client.opts.RetryBudget || !sleep(ctx, wait) {
			if doubt && m == once {
				flt.class = outbox.Ambiguous
			}
			return flt.classified(o)
		}
	}
}

// attempt runs f once, under its own timeout.
func (k *container) attempt(ctx context.Context, o op, f request) (err error, sent bool) {
	items, err := k.items(ctx)
	if err != nil {
		return err, false
	}
	ctx, cancel := context.WithTimeout(ctx, k.client.opts.AttemptTimeout)
	defer cancel()
	x := &exchange{Context: ctx, of: k, verb: o.verb}
	if err = f(x, items); err != nil {
		k.heed(err)
	}
	return err, x.sent.Load()
}

// heed keeps the session token of an error's response: a "not found" is a read, too.
func (k *container) heed(err error) {
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok && e.RawResponse != nil {
		k.seen(e.RawResponse)
	}
}

// seen keeps the session token of a response, unless the container is gone that it is of.
func (k *container) seen(r *http.Response) {
	if r == nil || !k.heard(r.Header.Get("x-ms-content-path")) || k.client.opts.EventualReads {
		return
	}
	k.tokens.add(r.Header.Get("x-ms-session-token"))
}

// statusOf returns the HTTP status and substatus that err carries, 0 if none.
func statusOf(err error) (status int, sub string) {
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok {
		if e.RawResponse != nil {
			sub = e.RawResponse.Header.Get("x-ms-substatus")
		}
		return e.StatusCode, sub
	}
	return 0, ""
}

// sleep reports whether it slept to the end. It does not begin what ctx would cut.
func sleep(ctx context.Context, d time.Duration) bool {
	if until, ok := ctx.Deadline(); ok && time.Until(until) < d {
		return false
	}
	return pace.Sleep(ctx, d) == nil
}
