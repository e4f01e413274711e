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

// standing is where an event stands to a model.
type standing int

const (
	due        standing = iota // the model waits for it
	ahead                      // others come first
	copied                     // it was applied
	tooOld                     // it was given up, and what came behind it was applied
	superseded                 // it belongs to an incarnation that the key has left behind
)

// stand tells where e stands to m, and gives the model in e's incarnation: m itself, but for
// the first event of a key or of a later incarnation. lost counts the events of the earlier
// incarnation that never came. It is pure.
func (m Model) stand(e Event) (in Model, lost int64, _ standing) {
	in, lost = m, 0
	if m.none() || e.Incarnation.ID != m.Incarnation.ID {
		if !m.none() && e.Incarnation.before(m.Incarnation) {
			return m, 0, superseded
		}
		in, lost = m.enter(e)
	}
	switch {
	case e.Seq <= in.LastSeq && in.Missed.Has(e.Seq):
		return in, 0, tooOld
	case e.Seq <= in.LastSeq:
		return in, 0, copied
	case e.Seq == in.LastSeq+1 && lost == 0:
		return in, 0, due
	}
	return in, lost, ahead
}

// none says whether no event of the key has come yet.
func (m Model) none() bool { return m.LastSeq == 0 && m.Incarnation.ID == "" && len(m.Early) == 0 }

// enter is m at the beginning of e's incarnation.
func (m Model) enter(e Event) (in Model, lost int64) {
	in = m
	in.Incarnation, in.Early, in.Missed, in.Gone = e.Incarnation, nil, nil, nil
	first := e.Incarnation.First
	if first == 0 { // nobody tells where the numbers began
		first = e.Seq
	}
	in.LastSeq = first - 1
	switch {
	case m.none():
	case first == 1:
		in.Data = nil // the entity's history begins anew, and so does its model
	default:
		lost = max(0, in.LastSeq-m.LastSeq)
	}
	return in, lost
}

// jump is m after the events before seq were given up.
func (m Model) jump(seq int64) (next Model, missing int64) {
	missing = seq - m.LastSeq - 1
	m.Gaps += missing
	m.Missed = m.Missed.With(m.LastSeq+1, seq-1).newest(maxMissed)
	m.LastSeq = seq - 1
	m.Gone = m.Gone.Above(m.LastSeq)
	return m, missing
}

// reach is the highest number that only events that are gone stand before.
func (m Model) reach() int64 {
	next := m.LastSeq + 1
	for _, s := range m.Gone {
		if s.From <= next && next <= s.To {
			return s.To + 1
		}
	}
	return next
}

// maxMissed bounds the memory of what was given up, in ranges: of what came before them, a
// late event is taken for a copy.
const maxMissed = 16
