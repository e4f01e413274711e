package inbox

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// GiveBack paces the failed deliveries of a broker that delivers again at once, and whose
// limit of deliveries is high for the sake of outages. What can never be applied would be
// through with all of them in a moment, at the price of a core; and whoever is about to
// mend it, with a newer version of the app, would come too late. The zero value works.
type GiveBack struct{ waiting atomic.Int32 }

// maxWaiting bounds how many messages wait at the same time: each keeps a call of the host,
// and what is sound must not wait behind them. What is more goes back at once.
const maxWaiting = 16

// givePause makes 100 deliveries last for 95 seconds, and 10 for five.
var givePause = pace.Backoff{First: 20 * time.Millisecond, Max: time.Second}

// Pause waits before a message goes back to the broker. delivery is its number, from 1.
func (g *GiveBack) Pause(ctx context.Context, delivery int) {
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) <= maxWaiting {
		_ = pace.Sleep(ctx, givePause.Ceiling(delivery)) // back it goes either way
	}
}

// MayPass says whether what kept an event from its effect may be over at a later delivery: the store
// is away, another consumer was faster, or the wait was cut. A broker that need not count deliveries
// of such an event should not.
func MayPass(err error) bool {
	_, away := errors.AsType[*Transient](err)
	for _, passing := range []error{ErrConflict, errHold, context.Canceled, context.DeadlineExceeded} {
		away = away || errors.Is(err, passing)
	}
	return away && ReasonOf(err) == ""
}
