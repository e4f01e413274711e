// Package readprofile answers GET and HEAD of /api/profiles/{id}.
//
// It promises the newest profile that the store shows, with the entity tag that a
// later write can name in If-Match, and 304 to a client that has it already. It
// changes nothing, and does not promise that a lagging replica of the store shows the
// client's own last write: the write's answer carries the same document.
package readprofile

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/relaybox/relaybox/functions/problem"
	"github.com/relaybox/relaybox/functions/resource"
	"github.com/relaybox/relaybox/outbox"
)

// Reader loads an entity; outbox.Store is one.
type Reader interface {
	Load(ctx context.Context, key, receiptID string) (outbox.Entity, *outbox.Receipt, error)
}

// Deps are what the function needs. Logger may be nil.
type Deps struct {
	Reader Reader
	Logger *slog.Logger
}

// New returns the function. The id is r.PathValue("id").
func New(d Deps) http.Handler {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := read(d.Reader, r)
		if err != nil {
			problem.Answer(w, r, d.Logger, err)
			return
		}
		resource.Write(w, r, answer)
	})
}

func read(store Reader, r *http.Request) (outbox.Answer, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		p := problem.New(problem.BadMethod, "%s does not read a profile.", r.Method)
		p.Offer = [2]string{"Allow", "GET, HEAD"}
		return outbox.Answer{}, p
	}
	id, err := resource.ID(r)
	if err != nil {
		return outbox.Answer{}, err
	}
	conditions, err := resource.ParseConditions(r.Header)
	if err != nil {
		return outbox.Answer{}, err
	}
	entity, _, err := store.Load(r.Context(), id, "")
	if err != nil {
		return outbox.Answer{}, err
	}
	stored, err := resource.Stored(entity)
	switch {
	case err != nil:
		return outbox.Answer{}, err
	case stored == nil:
		return outbox.Answer{}, problem.New(problem.NotFound, "No profile has the id %q.", id)
	}
	if err := conditions.MetForRead(entity); err != nil {
		return outbox.Answer{}, err
	}
	if conditions.Known(entity) {
		return outbox.Answer{Status: http.StatusNotModified, ETag: resource.Tag(entity.Version)}, nil
	}
	return resource.Render(entity, stored, http.StatusOK), nil
}
