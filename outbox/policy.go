package outbox

import (
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// Action is what the dispatcher does after a failed send.
type Action int

const (
	// Pause leaves the whole destination alone for Verdict.After.
	Pause Action = iota
	// Retry sends this event again after Verdict.After; its key waits, others go on.
	Retry
	// Park takes this event out of the flow.
	Park
)

// String is the action as logs have it.
func (a Action) String() string { return [...]string{"pause", "retry", "park"}[a] }

// Verdict is a Policy's answer.
type Verdict struct {
	Action Action
	// After is how long to wait. For Pause, 0 leaves the choice to the dispatcher's
	// backoff.
	After time.Duration
}

// Policy says what follows from a failed send of e. It is pure. attempt counts the
// failures that were about this message, this one included, and is 0 for an error
// that says nothing about the message.
type Policy func(e Event, err error, attempt int) Verdict

// retryPause has no jitter: a policy is pure, and the event's key waits alone.
var retryPause = pace.Backoff{First: 100 * time.Millisecond, Max: 3200 * time.Millisecond}

// ParkAfter is the Policy that parks a message after limit refusals, and pauses on
// everything that is not about the message.
func ParkAfter(limit int) Policy {
	return func(_ Event, err error, attempt int) Verdict {
		switch {
		case !ClassOf(err).Permanent():
			return Verdict{Action: Pause, After: RetryAfterOf(err)}
		case attempt < limit:
			return Verdict{Action: Retry, After: retryPause.Ceiling(attempt)}
		default:
			return Verdict{Action: Park}
		}
	}
}
