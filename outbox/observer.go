package outbox

import (
	"context"
	"time"
)

// Observer hears what the outbox does; logger, metrics and transcripts are observers.
// It is called from many goroutines at once and must not block. Nil hears nothing.
type Observer func(Signal)

func (o Observer) tell(s Signal) {
	if o != nil {
		o(s)
	}
}

// Signal is one of the types below.
type Signal interface{ signal() }

type (
	// Committed: the events were stored with their change.
	Committed struct{ Events []Event }
	// Moved: the first write of an entity whose container was restored or copied has begun
	// a new incarnation. Consumers follow it, and effects of the old one that were still
	// under way may be missing.
	Moved struct {
		Key      string
		From, To Incarnation
	}
	// Replayed: a repeated request got its first answer.
	Replayed struct{ Key string }
	// Published: the broker acknowledged the event.
	Published struct{ Event Event }
	// Refused: the event was not sent. Verdict says what follows.
	Refused struct {
		Event   Event
		Err     error
		Attempt int
		Verdict Verdict
	}
	// Settled: acknowledged events of Key were removed from the store. Fresh: they had gone out
	// from memory, without a query.
	Settled struct {
		Key   string
		Count int
		Fresh bool
	}
	// Parked: the event was taken out of the flow. Refused tells when it is refused again.
	Parked struct {
		Event Event
		Fault Fault
	}
	// Blocked: Key waits behind the parked event Seq.
	Blocked struct {
		Key string
		Seq int64
	}
	// Paused: the destination is left alone for a while.
	Paused struct {
		For time.Duration
		Err error
	}
	// Resumed: an event got through after a pause.
	Resumed struct{ After time.Duration }
	// Dropped: the fast path has no room for Key; the sweep finds it.
	Dropped struct{ Key string }
	// Swept: a sweep has come to its end.
	Swept struct{ Report Report }
	// LookFailed: the store could not be searched for orphans. The next look or sweep repeats it.
	LookFailed struct{ Err error }
	// DrainFailed: the store failed while Key was drained.
	DrainFailed struct {
		Key string
		Err error
	}
)

func (Committed) signal()   {}
func (Moved) signal()       {}
func (Replayed) signal()    {}
func (Published) signal()   {}
func (Refused) signal()     {}
func (Settled) signal()     {}
func (Parked) signal()      {}
func (Blocked) signal()     {}
func (Paused) signal()      {}
func (Resumed) signal()     {}
func (Dropped) signal()     {}
func (Swept) signal()       {}
func (LookFailed) signal()  {}
func (DrainFailed) signal() {}

// Tracer begins the work for requests, whose traces it is told: it returns the context of that
// work, and what ends it, which may be called again. Nil begins nothing, and costs nothing.
type Tracer func(ctx context.Context, of []Trace) (_ context.Context, end func())
