package minicosmos

import (
	"github.com/relaybox/relaybox/local/faulthttp"
	"github.com/relaybox/relaybox/local/minicosmos/internal/fault"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// Fault is one thing that goes wrong, or one weakness of the cloud: a value, switched on with Server.Inject or
// POST /relaybox/faults. Do says what happens and On to which operation; Database and Container narrow it down, Times
// and Chance say how often, Delay and RequestUnits how much.
type Fault = fault.Fault

// Injected is a fault that is or was switched on, and how often it has happened.
type Injected = fault.Injected

// Duration is a time.Duration that JSON writes like "250ms".
type Duration = faulthttp.Duration

// Operation is a kind of request.
type Operation = wire.Operation

// The operations. The first nine are those on documents.
const (
	OpCreate  = wire.OpCreate
	OpUpsert  = wire.OpUpsert
	OpRead    = wire.OpRead
	OpReplace = wire.OpReplace
	OpPatch   = wire.OpPatch
	OpDelete  = wire.OpDelete
	OpBatch   = wire.OpBatch
	OpQuery   = wire.OpQuery // and the list of all documents
	OpFeed    = wire.OpFeed  // of changes

	OpRanges    = wire.OpRanges
	OpContainer = wire.OpContainer
	OpDatabase  = wire.OpDatabase
	OpOffer     = wire.OpOffer
	OpAccount   = wire.OpAccount
)

// Effect is what happens.
type Effect = fault.Effect

// The effects. The first seven are refusals: nothing is done.
const (
	Throttle    = fault.Throttle    // 429 with substatus 3200 and a Retry-After
	RetryWith   = fault.RetryWith   // 449
	Gone        = fault.Gone        // 410 with substatus 1002, although the range is there
	Unavailable = fault.Unavailable // 503
	Timeout     = fault.Timeout     // 408
	NoSession   = fault.NoSession   // 404 with substatus 1002
	Broken      = fault.Broken      // 500
	// Delay does it at once and answers later.
	Delay = fault.Delay
	// DropBefore cuts the connection, and nothing is done.
	DropBefore = fault.DropBefore
	// DropAfter does it, makes it durable, and cuts the connection instead of answering.
	DropAfter = fault.DropAfter
	// Split divides the physical range that is addressed, and then does it.
	Split = fault.Split
	// Stale reads from one of three replicas, of which the slowest is behind by Delay. A session token that is ahead of
	// it, and a request for strong or bounded consistency, get the newest state.
	Stale = fault.Stale
	// Shuffle mixes up what one transaction changed in a page of the change feed.
	Shuffle = fault.Shuffle
	// Budget throttles each physical range that has used up its request units of this second.
	Budget = fault.Budget
)

// Inject switches faults on, after those that are: of several that could happen to the same request, the first does.
// Stale, Shuffle and Budget come on top of the others.
func (s *Server) Inject(list ...Fault) error { return s.faults.Inject(list...) }

// Faults lists what Inject has switched on since ClearFaults, in order, with what has happened. Those that are over stay.
func (s *Server) Faults() []Injected { return s.faults.List() }

// ClearFaults switches all faults off.
func (s *Server) ClearFaults() { s.faults.Clear() }

// Split divides a physical range of a container into two, as the service does when it grows. Whoever addresses the
// range by its id is told that it is gone (410, substatus 1002) and finds its children in the feed of ranges.
func (s *Server) Split(database, container string, id int) error {
	return s.account.Split(database, container, id)
}
