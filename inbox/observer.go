package inbox

import (
	"context"
	"time"
)

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
	// Held: the event waits, because its store is away or its model keeps changing under it.
	Held struct {
		Event Event
		Err   error
		Wait  time.Duration
		// Try counts what has failed for its key in a row, from 1.
		Try int
	}
	// Followed: the event began a later incarnation of its key. The writer's container was
	// made anew or restored: effects of the old incarnation that were still under way, Lost
	// of them known by their numbers, are missing, and its late events will be refused.
	Followed struct {
		Event Event
		From  Incarnation
		// LastSeq is how far the old incarnation had come.
		LastSeq int64
		Lost    int64
	}
	// Late: the event is of an incarnation that the key has left behind, and changed nothing.
	Late struct {
		Event Event
		Now   Incarnation
	}
	// TooOld: the event was given up, later ones were applied over it, and it changed nothing.
	TooOld struct {
		Event   Event
		LastSeq int64
	}
	// Waits: the event was stored beside its model until event For comes.
	Waits struct {
		Event Event
		For   int64
	}
	// Skipped: a marker came in the place of an event that an operator of the writing side has
	// skipped. The model's data stay as they were, and its key goes on.
	Skipped struct{ Event Event }
	// Jumped: the event was applied over a gap of Missing events.
	Jumped struct {
		Event   Event
		Missing int64
	}
	// Blocked: under Strict, event For has not come for longer than EarlyWait, or has come and
	// cannot be applied for Err, and Waiting events wait.
	Blocked struct {
		Key     string
		For     int64
		Waiting int64
		Since   time.Time
		Err     error
	}
	// Gone: the event was refused on its last delivery, and those behind it do not wait for it.
	// Jumped follows when one of them goes on over it.
	Gone struct{ Event Event }
	// GaveUp: an early event could not be applied, and its key has gone on without it.
	GaveUp struct {
		Event Event
		Err   error
	}
)

func (Held) signal()     {}
func (Followed) signal() {}
func (Late) signal()     {}
func (TooOld) signal()   {}
func (Waits) signal()    {}
func (Skipped) signal()  {}
func (Jumped) signal()   {}
func (Blocked) signal()  {}
func (Gone) signal()     {}
func (GaveUp) signal()   {}

// Tracer follows events into the store. Nil follows nothing, and costs nothing.
type Tracer interface {
	// Reads is the context of reads for the sake of e.
	Reads(ctx context.Context, e *Event) context.Context
	// Applies begins the write that gives the applied events their effect, and stores others as
	// early. It returns the context of the write, and what ends it; done: it was carried out.
	// Nobody changes the events, or keeps them.
	Applies(ctx context.Context, applied, early []*Event) (_ context.Context, end func(done bool))
}
