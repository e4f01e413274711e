package profile

import (
	"fmt"
	"maps"
)

// View is the consumer's read model of one profile.
type View struct {
	ID string `json:"id"`
	// Profile is the newest state, nil once it is deleted.
	Profile *Profile `json:"profile"`
	// Applied counts the events by type.
	Applied map[string]int64 `json:"applied"`
}

// Apply returns the view as it is after e. It leaves v alone, so a caller whose store
// refused the result may apply the same event again.
func Apply(v View, e Event) (View, error) {
	if e.Data.ID == "" || v.ID != "" && v.ID != e.Data.ID {
		return v, fmt.Errorf("%w: %s of %q, the view is of %q", ErrMalformedEvent, e.Type, e.Data.ID, v.ID)
	}
	next := View{ID: e.Data.ID, Applied: maps.Clone(v.Applied)}
	switch e.Type {
	case Created, Updated, EmailChanged:
		if e.Data.Profile == nil {
			return v, fmt.Errorf("%w: %s without a profile", ErrMalformedEvent, e.Type)
		}
		next.Profile = e.Data.Profile
	case Deleted:
	default:
		return v, fmt.Errorf("%w: %q", ErrUnknownEvent, e.Type)
	}
	if next.Applied == nil {
		next.Applied = map[string]int64{}
	}
	next.Applied[e.Type]++
	return next, nil
}
