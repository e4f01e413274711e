// Package profile is the example kind of entity: what a profile is, which ones are allowed,
// which events a change makes and what a consumer keeps of them. Everything in it is a
// pure function; docs/own-entity.md makes another one.
//
// It does not promise that an address can receive mail or that a locale exists: only
// their shape is checked.
//
// # States of a profile
//
//	             created                    deleted
//	(no profile) ───────→ profile ─┐ ─────────────────→ (no profile)
//	                         ↑     │ updated, and email-changed after it
//	                         └─────┘ when the address is another one
package profile

import "github.com/relaybox/relaybox/entity"

// Kind is the kind of entity.
var Kind = entity.Kind[Profile, View]{
	Name:     "profile",
	Validate: Profile.validate,
	Events:   map[string]any{EmailChanged: Move{}},
	Changes:  changes,
	Apply:    apply,
}

// Profile is what is known about one person. Only DisplayName is required; a field
// that is empty and a field that is left out are the same. The tag limits tells the API's
// description what validate enforces; the shape of an address, bytes and control characters
// it cannot.
type Profile struct {
	// DisplayName: 1 to 200 characters, no control characters.
	DisplayName string `json:"displayName" limits:"required minLength=1 maxLength=200"`
	// Email: an RFC 5322 addr-spec of at most 254 bytes, without comments and folding.
	Email string `json:"email,omitempty" limits:"maxLength=254 pattern=^(|.*@.*)$"`
	// Bio: free text of at most 65,536 bytes.
	Bio string `json:"bio,omitempty" limits:"maxLength=65536"`
	// Locale: the shape of a BCP 47 language tag, at most 35 characters.
	Locale string `json:"locale,omitempty" limits:"maxLength=35 pattern=^[A-Za-z0-9-]*$"`
	// Attributes: at most 200; keys of 1 to 64 letters, digits, '.', '_' and '-',
	// values of at most 4,096 bytes.
	Attributes map[string]string `json:"attributes,omitempty" limits:"maxProperties=200 keys.pattern=^[A-Za-z0-9._-]{1,64}$ values.maxLength=4096"`
}

// EmailChanged follows the Updated of the same write when the address is another one.
const EmailChanged = "email-changed"

// Move is the detail of EmailChanged; either may be empty.
type Move struct {
	OldEmail string `json:"oldEmail"`
	NewEmail string `json:"newEmail"`
}

// changes returns the events that lead from the profile old to next; nil stands for no
// profile.
func changes(old, next *Profile) []entity.Event {
	switch {
	case old == nil:
		return []entity.Event{{Name: entity.Created}}
	case next == nil:
		return []entity.Event{{Name: entity.Deleted}}
	}
	events := []entity.Event{{Name: entity.Updated}}
	if old.Email != next.Email {
		events = append(events, entity.Event{Name: EmailChanged, Detail: Move{OldEmail: old.Email, NewEmail: next.Email}})
	}
	return events
}

// View is what the consumer keeps of one profile beside its state.
type View struct {
	// Applied counts the events by name.
	Applied map[string]int64 `json:"applied"`
}

func apply(v View, c entity.Change[Profile]) (View, error) {
	next := View{Applied: map[string]int64{c.Name: 1}}
	for name, n := range v.Applied {
		next.Applied[name] += n
	}
	return next, nil
}
