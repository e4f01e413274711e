package inbox

import "time"

// Incarnation is one life of a key's numbers, as the writer's store began it: another one
// when the writer's container was made anew or restored from a backup.
type Incarnation struct {
	// ID is "" for sources that know no incarnations.
	ID string `json:"id,omitempty"`
	// First is the number of its first event.
	First int64 `json:"first,omitempty"`
	// Since is the time stamp of the writer's container, as its store tells it; Drawn is the
	// writer's clock, which decides where Since is the same.
	Since time.Time `json:"since,omitzero"`
	Drawn time.Time `json:"drawn,omitzero"`
}

// before says whether an incarnation of a key came before another one of it.
func (in Incarnation) before(other Incarnation) bool {
	if !in.Since.Equal(other.Since) {
		return in.Since.Before(other.Since)
	}
	return in.Drawn.Before(other.Drawn)
}

// advance is the model that e is to be applied to, with its number and incarnation already
// e's, and how many events are missing before it. The outcome is Applied, or what e is
// instead. It is pure.
func advance(m Model, e Event) (next Model, missing int64, _ Outcome) {
	next = m
	next.LastSeq, next.Incarnation = e.Seq, e.Incarnation
	switch {
	case m.LastSeq == 0:
		if e.Incarnation.First == 0 {
			return next, 0, Applied // nobody tells where the numbers began
		}
		return next, e.Seq - e.Incarnation.First, Applied
	case e.Incarnation.ID == m.Incarnation.ID:
		if e.Seq <= m.LastSeq {
			return m, 0, Stale
		}
		return next, e.Seq - m.LastSeq - 1, Applied
	case e.Incarnation.before(m.Incarnation):
		return m, 0, Superseded
	}
	reached := max(e.Incarnation.First, 1) - 1
	if reached == 0 {
		next.Data = nil // the entity's history begins anew, and so does its model
	} else {
		reached = min(reached, m.LastSeq) // the old one may have had events that never came
	}
	return next, e.Seq - reached - 1, Applied
}
