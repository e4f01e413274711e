package writeprofile

import (
	"net/http"

	"github.com/relaybox/relaybox/functions/problem"
	"github.com/relaybox/relaybox/functions/resource"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/profile"
)

// change is one request, read and checked as far as that goes without the profile.
type change struct {
	id         string
	key, hash  string // Idempotency-Key, "" without one, and what it stands for
	conditions resource.Conditions
	// creates: the request also makes sense for a profile that does not exist.
	creates bool
	// next makes the new profile out of the stored one; nil stands for none.
	next func(stored *profile.Profile) (*profile.Profile, error)
	// looks counts how often the store showed an older version than the client
	// knows; see patience.
	looks int
}

// patience is how often the store is asked again when If-Match names a version that it
// has not shown yet. After that the client made the version up.
const patience = 3

// decide is outbox.Request.Decide.
func (c *change) decide(cur outbox.Entity) (outbox.Decision, error) {
	stored, err := resource.Stored(cur)
	if err != nil {
		return outbox.Decision{}, err
	}
	if err := c.allowed(cur); err != nil {
		if c.looks++; c.looks <= patience && c.conditions.Ahead(cur) {
			return outbox.Decision{}, outbox.ErrStaleRead
		}
		return outbox.Decision{}, err
	}
	next, err := c.next(stored)
	if err != nil {
		return outbox.Decision{}, err
	}
	return decision(c.id, stored, next), nil
}

// allowed puts 404 before 412: conditions count only for a request that would succeed
// without them (RFC 9110 §13.2.1).
func (c *change) allowed(cur outbox.Entity) error {
	if !c.creates && !resource.Exists(cur) {
		return problem.New(problem.NotFound, "No profile has the id %q.", c.id)
	}
	return c.conditions.Met(cur)
}

func decision(id string, stored, next *profile.Profile) outbox.Decision {
	d := outbox.Decision{Status: http.StatusOK}
	switch {
	case next == nil:
		d.Status, d.Deleted = http.StatusNoContent, true
	case stored == nil:
		d.Status = http.StatusCreated
	}
	if next != nil {
		d.Data = next.Encode()
	}
	for _, e := range profile.Changes(id, stored, next) {
		d.Events = append(d.Events, outbox.Draft{Type: e.Type, Data: e.Data})
	}
	return d
}

func put(body []byte) (func(*profile.Profile) (*profile.Profile, error), error) {
	next, err := profile.Decode(body)
	if err != nil {
		return nil, refused(err)
	}
	return func(*profile.Profile) (*profile.Profile, error) { return &next, nil }, nil
}

func patch(body []byte) (func(*profile.Profile) (*profile.Profile, error), error) {
	if err := profile.CheckPatch(body); err != nil {
		return nil, refused(err)
	}
	return func(stored *profile.Profile) (*profile.Profile, error) {
		merged, err := merge(stored.Encode(), body)
		if err != nil {
			return nil, err
		}
		next, err := profile.Decode(merged)
		if err != nil {
			return nil, refused(err)
		}
		return &next, nil
	}, nil
}

func remove(*profile.Profile) (*profile.Profile, error) { return nil, nil }
