// Package writeprofile answers PUT, PATCH and DELETE of /api/profiles/{id}.
//
// It promises:
//
//   - all or nothing: the profile, its events and the receipt of the request are
//     stored in one batch, or nothing is and the answer is a problem that says why;
//   - a write that changes nothing makes no event and gets the answer of one that did;
//   - a request with an Idempotency-Key is carried out once, however often and at
//     whatever time it is sent within the receipt's life of 24 hours, and each time
//     gets the first answer; a DELETE that the host delivers again likewise;
//   - a profile that a condition guards is not overwritten in another version.
//
// It does not promise that a request without an Idempotency-Key is carried out once
// when the client repeats it.
//
// # The way of a request
//
//	read: id, headers, body ──→ decide: conditions, new profile, events ──→ commit
//	   │ 400 411 413 415 422       │ 404 412 422        ↑ again, when another   │ 409 413 429 503
//	   ▼                           ▼                    └── write came between ─┘
//	problem, nothing touched    problem, nothing stored
//
// Everything that needs no profile is refused before the store is asked.
package writeprofile

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/functions/problem"
	"github.com/relaybox/relaybox/functions/resource"
	"github.com/relaybox/relaybox/outbox"
)

// Writer commits a change with its events; *outbox.Writer is one.
type Writer interface {
	Write(ctx context.Context, r outbox.Request) (outbox.Answer, error)
}

// Deps are what the function needs. Logger may be nil.
type Deps struct {
	Writer Writer
	Logger *slog.Logger
}

// New returns the function. The id is r.PathValue("id").
func New(d Deps) http.Handler {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := write(d.Writer, r)
		if err != nil {
			problem.Answer(w, r, d.Logger, err)
			return
		}
		resource.Write(w, r, answer)
	})
}

func write(to Writer, r *http.Request) (outbox.Answer, error) {
	c, err := read(r)
	if err != nil {
		return outbox.Answer{}, err
	}
	invocation := azfunc.InvocationID(r.Header)
	if c.key == "" && r.Method == http.MethodDelete && invocation != "" {
		// The host delivers requests without a body again, and by then another write may
		// have come between: only a receipt tells. No client's key has a space in it.
		c.key = "invocation " + invocation
	}
	return to.Write(r.Context(), outbox.Request{
		Key:            c.id,
		Invocation:     invocation,
		IdempotencyKey: c.key,
		RequestHash:    c.hash,
		Trace:          traceOf(r.Header),
		Decide:         c.decide,
		Render:         render,
	})
}

// render is only called for what decide has read or made, so the profile is readable.
func render(e outbox.Entity, status int) outbox.Answer {
	stored, _ := resource.Stored(e)
	return resource.Render(e, stored, status)
}
