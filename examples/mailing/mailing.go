// Package mailing is a second consumer of the events of profiles: a mailing list, which says who
// has which e-mail address now. Its models and its subscription are its own.
//
// It hears three events, because an address can only change with one of them: created has the
// first one, deleted takes it away, and email-changed follows each updated that has another one. The
// updated themselves, most of all events, would say nothing new, and cost a delivery and an
// execution each.
package mailing

import (
	"time"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/profile"
)

// List is the consumer.
var List = entity.Consumer{
	Name:         "mailing-list",
	Subscription: "MAILING_SUBSCRIPTION",
	Hears:        []entity.Hearing{entity.Hear(profile.Kind, apply, entity.Created, profile.EmailChanged, entity.Deleted)},
	Policy:       inbox.Newest,
}

// Entry is what the list has of one profile.
type Entry struct {
	// Address is "" for a profile that has none, or is gone.
	Address string `json:"address"`
	// Since is when the profile has got the address, by the writer's clock.
	Since time.Time `json:"since"`
}

func apply(e Entry, c entity.Change[profile.Profile]) (Entry, error) {
	next := Entry{Since: c.Time}
	if c.State != nil {
		next.Address = c.State.Email
	}
	if next.Address == e.Address && !e.Since.IsZero() { // replayed, most likely
		return e, nil
	}
	return next, nil
}
