package inbox

import (
	"slices"
	"time"
)

// Incarnation is one life of a key's numbers, as the writer's store began it: another one
// when the writer's container was made anew or restored from a backup.
type Incarnation struct {
	// ID is "" for sources that know no incarnations.
	ID string `json:"id,omitempty"`
	// First is the number of its first event.
	First int64 `json:"first,omitempty"`
	// Since is the time stamp of the writer's container, as its store tells it.
	Since time.Time `json:"since,omitzero"`
}

// maxPast bounds how many incarnations a model remembers to have left behind.
const maxPast = 8

// advance is the model that e is to be applied to, with its number and incarnation already
// e's, and how many events are missing before it. The outcome is Applied, or what e is
// instead. It is pure.
func advance(m Model, e Event) (next Model, missing int64, _ Outcome) {
	next = m
	next.LastSeq, next.Incarnation = e.Seq, e.Incarnation
	switch {
	case m.LastSeq == 0:
		return next, 0, Applied // a new subscriber may start in mid-stream
	case e.Incarnation.ID == m.Incarnation.ID:
		if e.Seq <= m.LastSeq {
			return m, 0, Stale
		}
		return next, e.Seq - m.LastSeq - 1, Applied
	case m.outlived(e.Incarnation):
		return m, 0, Superseded
	}
	next.Past = slices.Clone(m.Past)
	if next.Past = append(next.Past, m.Incarnation.ID); len(next.Past) > maxPast {
		next.Past = next.Past[1:]
	}
	if e.Incarnation.First <= 1 {
		next.Data = nil // the entity's history begins anew, and so does its model
	}
	return next, e.Seq - max(e.Incarnation.First, 1), Applied
}

// outlived says whether the incarnation came before the model's. The containers' stamps
// have whole seconds: where they do not tell, one that was left behind is not followed
// again.
func (m *Model) outlived(in Incarnation) bool {
	return in.Since.Before(m.Incarnation.Since) || slices.Contains(m.Past, in.ID)
}
