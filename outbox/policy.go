package outbox

import "time"

// Action is what the dispatcher does after a failed send.
type Action int

const (
	// Pause leaves the whole destination alone for Verdict.After.
	Pause Action = iota
	// Retry sends this event again, not before Verdict.After; its key waits, others go on.
	Retry
	// Park takes this event out of the flow.
	Park
)

// String is the action as logs have it.
func (a Action) String() string { return [...]string{"pause", "retry", "park"}[a] }

// Verdict is a Policy's answer.
type Verdict struct {
	Action Action
	// After is how long to wait; 0 leaves the choice to the dispatcher's backoff.
	After time.Duration
}

// Policy says what follows from a failed send of a pending event. It is pure. attempt
// counts the refusals that were about this message, this one included: after the first,
// only those before which the destination took something else. It is 0 for an error that
// says nothing about the message, and for a destination that refuses everything.
type Policy func(e Event, err error, attempt int) Verdict

// ParkAfter is the Policy that parks a message after limit refusals, and pauses on
// everything that is not about the message. The first refusal alone proves nothing, so
// a limit below 2 is taken for 2.
func ParkAfter(limit int) Policy {
	return func(_ Event, err error, attempt int) Verdict {
		switch {
		case attempt == 0:
			return Verdict{Action: Pause, After: RetryAfterOf(err)}
		case attempt < max(limit, proofs):
			return Verdict{Action: Retry}
		default:
			return Verdict{Action: Park}
		}
	}
}
