package minicosmos

import (
	"github.com/relaybox/relaybox/local/faulthttp"
	"github.com/relaybox/relaybox/local/minicosmos/internal/fault"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// Fault is one thing that goes wrong, or one weakness of the cloud: a value, switched on with Server.Inject or
// POST /relaybox/faults. JSON has the same fields in camel case.
//
//	Database     string    // "": all
//	Container    string    // "": all
//	On           Operation // "": every operation on documents that the effect is possible for
//	Do           Effect    // required
//	Times        int       // how often it happens before it is over; 0: until it is cleared
//	Chance       float64   // how likely it happens each time, above 0 and up to 1; 0: always
//	Delay        Duration  // how long Delay takes, how far Stale may be behind, what Throttle asks for (0: 10 ms)
//	RequestUnits float64   // what Budget grants each physical range in a second; 0: its share of the offer, or of
//	                       // the 5,000 of a serverless account
type Fault = fault.Fault

// Injected is a fault that is or was switched on, and how often it has happened.
//
//	Fault     // embedded, as it was injected
//	Fired int // how often it has happened
type Injected = fault.Injected

// Duration is a time.Duration that JSON writes like "250ms": its methods are MarshalText and UnmarshalText. Convert to
// and from time.Duration.
type Duration = faulthttp.Duration

// Operation is a kind of request: a string, whose values are the constants.
type Operation = wire.Operation

// The operations. The first nine are those on documents.
const (
	OpCreate  Operation = wire.OpCreate
	OpUpsert  Operation = wire.OpUpsert
	OpRead    Operation = wire.OpRead
	OpReplace Operation = wire.OpReplace
	OpPatch   Operation = wire.OpPatch
	OpDelete  Operation = wire.OpDelete
	OpBatch   Operation = wire.OpBatch
	OpQuery   Operation = wire.OpQuery // and the list of all documents
	OpFeed    Operation = wire.OpFeed  // of changes

	OpPlan      Operation = wire.OpPlan // of a query over several ranges
	OpRanges    Operation = wire.OpRanges
	OpContainer Operation = wire.OpContainer
	OpDatabase  Operation = wire.OpDatabase
	OpOffer     Operation = wire.OpOffer
	OpAccount   Operation = wire.OpAccount
)

// Effect is what happens: a string, whose values are the constants.
type Effect = fault.Effect

// The effects. The first seven are refusals: nothing is done.
const (
	Throttle    Effect = fault.Throttle    // 429 with substatus 3200 and a Retry-After
	RetryWith   Effect = fault.RetryWith   // 449
	Gone        Effect = fault.Gone        // 410 with substatus 1002, although the range is there
	Unavailable Effect = fault.Unavailable // 503
	Timeout     Effect = fault.Timeout     // 408
	NoSession   Effect = fault.NoSession   // 404 with substatus 1002
	Broken      Effect = fault.Broken      // 500
	// Delay does it at once and answers later.
	Delay Effect = fault.Delay
	// DropBefore cuts the connection, and nothing is done.
	DropBefore Effect = fault.DropBefore
	// DropAfter does it, makes it durable, and cuts the connection instead of answering.
	DropAfter Effect = fault.DropAfter
	// Split divides the physical range that is addressed, and then does it.
	Split Effect = fault.Split
	// Stale reads from one of three replicas, of which the slowest is behind by Delay. A session token that is ahead of
	// it, and a request for strong or bounded consistency, get the newest state.
	Stale Effect = fault.Stale
	// Shuffle mixes up what one transaction changed in a page of the change feed.
	Shuffle Effect = fault.Shuffle
	// Budget throttles each physical range that has used up its request units of this second.
	Budget Effect = fault.Budget
)

// Inject switches faults on, after those that are: of several that could happen to the same request, the first does.
// Stale, Shuffle and Budget come on top of the others. A fault for a database or container that is not there is refused,
// but for one of OpDatabase and OpContainer: that may be what creates it.
func (s *Server) Inject(list ...Fault) error { return s.faults.Inject(s.account.There, list...) }

// Faults lists what Inject has switched on since ClearFaults, in order, with what has happened. Those that are over stay.
func (s *Server) Faults() []Injected { return s.faults.List() }

// ClearFaults switches all faults off.
func (s *Server) ClearFaults() { s.faults.Clear() }

// Split divides a physical range of a container into two, as the service does when it grows. Whoever addresses the
// range by its id is told that it is gone (410, substatus 1002) and finds its children in the feed of ranges.
func (s *Server) Split(database, container string, id int) error {
	return s.account.Split(database, container, id)
}
