package profile

// Types of profile events.
const (
	Created = "relaybox.profile.created"
	Updated = "relaybox.profile.updated"
	Deleted = "relaybox.profile.deleted"
	// EmailChanged follows the Updated of the same write when the address is another one.
	EmailChanged = "relaybox.profile.email-changed"
)

// Event tells of one change.
type Event struct {
	Type string
	Data Data
}

// Data is what an event carries: the whole state after the change, so that a consumer
// which missed earlier events is right again with the next one. Its JSON is one flat
// object.
type Data struct {
	ID string `json:"id"`
	// Profile is nil in Deleted: who is gone leaves nothing behind.
	*Profile
	// Move is set in EmailChanged only.
	*Move
}

// Move is the change of an address; either may be empty.
type Move struct {
	OldEmail string `json:"oldEmail"`
	NewEmail string `json:"newEmail"`
}

// Changes returns the events that lead from the profile old to new, in order; nil
// stands for no profile. No events mean that nothing changed.
func Changes(id string, old, new *Profile) []Event {
	switch {
	case old == nil && new == nil:
		return nil
	case old == nil:
		return []Event{{Created, Data{ID: id, Profile: new}}}
	case new == nil:
		return []Event{{Deleted, Data{ID: id}}}
	case old.Equal(*new):
		return nil
	}
	events := []Event{{Updated, Data{ID: id, Profile: new}}}
	if old.Email != new.Email {
		move := &Move{OldEmail: old.Email, NewEmail: new.Email}
		events = append(events, Event{EmailChanged, Data{ID: id, Profile: new, Move: move}})
	}
	return events
}
