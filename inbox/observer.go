package inbox

import "time"

// Observer hears what the inbox does beside applying events. It is called from many
// goroutines at once and must not block. Nil hears nothing.
type Observer func(Signal)

func (o Observer) tell(s Signal) {
	if o != nil {
		o(s)
	}
}

// Signal is one of the types below.
type Signal interface{ signal() }

type (
	// Held: the event waits, because its store is away, its model keeps changing under it or
	// its predecessor is missing.
	Held struct {
		Event Event
		Err   error
		Wait  time.Duration
		// Try counts what has failed in this delivery, from 1.
		Try int
	}
	// Followed: the event was applied and began a later incarnation of its key. The
	// writer's container was made anew or restored: effects of the old incarnation that
	// were still under way are missing, and its late events will be refused.
	Followed struct {
		Event Event
		From  Incarnation
		// LastSeq is how far the old incarnation had come.
		LastSeq int64
	}
	// Late: the event is of an incarnation that the key has left behind, and changed nothing.
	Late struct {
		Event Event
		Now   Incarnation
	}
	// Jumped: the snapshot policy has applied the event over a gap of Missing events.
	Jumped struct {
		Event   Event
		Missing int64
	}
)

func (Held) signal()     {}
func (Followed) signal() {}
func (Late) signal()     {}
func (Jumped) signal()   {}
