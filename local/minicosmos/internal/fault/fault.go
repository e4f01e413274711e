package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/faulthttp"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// Fault is one thing that goes wrong, or one weakness of the cloud: a value, switched on with Server.Inject or
// POST /relaybox/faults.
type Fault struct {
	// Database and Container narrow it down; "" is all of them.
	Database  string `json:"database,omitempty"`
	Container string `json:"container,omitempty"`
	// On is the operation that it happens to; "" is every operation on documents that the effect is possible for.
	On wire.Operation `json:"on,omitempty"`
	Do Effect         `json:"do"`
	// Times is how often it happens before it is over; 0: until it is cleared.
	Times int `json:"times,omitempty"`
	// Chance is how likely it happens each time, above 0 and up to 1; 0: always.
	Chance float64 `json:"chance,omitempty"`
	// Delay is how long Delay takes, what Throttle asks the client to wait, and how far Stale may be behind.
	Delay faulthttp.Duration `json:"delay,omitempty"`
	// RequestUnits is what Budget grants each physical range in a second; 0: its share of the container's offer, or of
	// the 5,000 of a serverless account.
	RequestUnits float64 `json:"requestUnits,omitempty"`
}

// What the effects are possible for.
var (
	onDocuments = []wire.Operation{wire.OpCreate, wire.OpUpsert, wire.OpRead, wire.OpReplace, wire.OpPatch, wire.OpDelete, wire.OpBatch, wire.OpQuery, wire.OpFeed}
	onReads     = []wire.Operation{wire.OpRead, wire.OpQuery, wire.OpFeed}
	operations  = append(slices.Clip(slices.Clone(onDocuments)), wire.OpPlan, wire.OpRanges, wire.OpContainer, wire.OpDatabase, wire.OpOffer, wire.OpAccount)
)

// Effect is what happens.
type Effect string

// The effects. The first seven are refusals: nothing is done.
const (
	Throttle    Effect = "throttle"    // 429 with substatus 3200 and a Retry-After
	RetryWith   Effect = "retry-with"  // 449
	Gone        Effect = "gone"        // 410 with substatus 1002, although the range is there
	Unavailable Effect = "unavailable" // 503
	Timeout     Effect = "timeout"     // 408
	NoSession   Effect = "no-session"  // 404 with substatus 1002
	Broken      Effect = "broken"      // 500
	// Delay does it at once and answers later.
	Delay Effect = "delay"
	// DropBefore cuts the connection, and nothing is done.
	DropBefore Effect = "drop-before"
	// DropAfter does it, makes it durable, and cuts the connection instead of answering.
	DropAfter Effect = "drop-after"
	// Split divides the physical range that is addressed, and then does it.
	Split Effect = "split"
	// Stale reads from one of three replicas, of which the slowest is behind by Delay. A session token that is ahead of
	// it, and a request for strong or bounded consistency, get the newest state.
	Stale Effect = "stale"
	// Shuffle mixes up what one transaction changed in a page of the change feed.
	Shuffle Effect = "shuffle"
	// Budget throttles each physical range that has used up its request units of this second.
	Budget Effect = "budget"
)

// possible are the operations that each effect can have.
var possible = map[Effect][]wire.Operation{
	Throttle: operations, RetryWith: operations, Gone: operations, Unavailable: operations, Timeout: operations, Broken: operations,
	Delay: operations, DropBefore: operations, DropAfter: operations,
	NoSession: onReads, Stale: onReads, Shuffle: {wire.OpFeed}, Split: onDocuments, Budget: onDocuments,
}

// ErrFault: a fault cannot be injected; the text names the field and the remedy.
var ErrFault = errors.New("fault")

func (f *Fault) check() error {
	on, known := possible[f.Do]
	timed := f.Do == Delay || f.Do == Stale || f.Do == Throttle
	switch {
	case !known:
		return fmt.Errorf("%w: do is %q: use throttle, retry-with, gone, unavailable, timeout, no-session, broken, delay, drop-before, drop-after, split, stale, shuffle or budget", ErrFault, f.Do)
	case f.On != "" && !slices.Contains(on, f.On):
		return fmt.Errorf("%w: on is %q: with do %q use %s, or leave it out", ErrFault, f.On, f.Do, list(on))
	case f.Times < 0:
		return fmt.Errorf("%w: times is %d: use a positive number, or 0 for always", ErrFault, f.Times)
	case f.Chance < 0 || f.Chance > 1:
		return fmt.Errorf("%w: chance is %v: use a number from 0 to 1", ErrFault, f.Chance)
	case f.Delay < 0, f.Delay > 0 && !timed, f.Delay == 0 && (f.Do == Delay || f.Do == Stale):
		return fmt.Errorf("%w: delay is %v: it stands, and is positive, where do is delay or stale, and may stand where it is throttle", ErrFault, time.Duration(f.Delay))
	case f.RequestUnits < 0, f.RequestUnits > 0 && f.Do != Budget:
		return fmt.Errorf("%w: requestUnits is %v: it stands, and is positive, where do is budget", ErrFault, f.RequestUnits)
	case f.Container != "" && !slices.Contains(onDocuments, f.On) && f.On != "" && f.On != wire.OpContainer && f.On != wire.OpRanges:
		return fmt.Errorf("%w: container is %q: an operation on %s has none, leave it out", ErrFault, f.Container, f.On)
	}
	return nil
}

func list(operations []wire.Operation) string {
	names := make([]string, len(operations))
	for i, o := range operations {
		names[i] = string(o)
	}
	return strings.Join(names, ", ")
}

// hits tells whether the fault is about an operation.
func (f *Fault) hits(on wire.Operation, names []string) bool {
	switch {
	case f.Database != "" && (len(names) < 1 || names[0] != f.Database), f.Container != "" && (len(names) < 2 || names[1] != f.Container):
		return false
	case f.On != "":
		return f.On == on
	}
	return slices.Contains(possible[f.Do], on) && slices.Contains(onDocuments, on)
}
