package minibus

import (
	"github.com/relaybox/relaybox/local/faulthttp"
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
)

// Duration is a time.Duration that JSON writes like "250ms": its methods are MarshalText and UnmarshalText. Convert to
// and from time.Duration.
type Duration = faulthttp.Duration

// Fault is one thing that goes wrong: a value, switched on with Server.Inject or POST /relaybox/faults.
// JSON has the same fields in camel case.
//
//	Entity    string   // path of a queue, topic, subscription or dead-letter queue; "": all
//	Session   string   // of a send that has a message of a session that this pattern, of path.Match, fits; "": all
//	On        Moment   // required
//	Do        Effect   // required, one that is possible at this moment
//	Times     int      // how often it happens before it is over; 0: until it is cleared
//	Chance    float64  // how likely it happens each time, above 0 and up to 1; 0: always
//	Delay     Duration // how long Delay takes, only there
//	Condition string   // AMQP error with which Refuse answers, only there; "": amqp:internal-error
//	Text      string   // of that error, only there
//
// Each moment has its effects:
//
//	OnSend, OnManage  Refuse, Busy, Delay, Stall, DropBefore, DropAfter
//	OnReceive         these and LoseLock
//	OnSettle          these, LoseLock and Duplicate
//	OnAttach          Refuse, Busy, DropBefore
//	OnAccept          Reorder
type Fault = fault.Fault

// Injected is a fault that is or was switched on, and how often it has happened.
//
//	Fault     // embedded, as it was injected
//	Fired int // how often it has happened
type Injected = fault.Injected

// ErrFault: a fault cannot be injected; the text names the field and the remedy.
var ErrFault = fault.ErrFault

// Moment is what a fault happens to: a string, whose values are the constants.
type Moment = fault.Moment

// The moments.
const (
	OnSend    Moment = fault.OnSend    // a client sends a message or a batch
	OnReceive Moment = fault.OnReceive // a message is handed out
	OnSettle  Moment = fault.OnSettle  // a client completes, abandons, defers or dead-letters over its link
	OnAttach  Moment = fault.OnAttach  // a client opens a sender or receiver
	OnManage  Moment = fault.OnManage  // a request to $management: renewals, peeks, schedules, session states, …
	OnAccept  Moment = fault.OnAccept  // a client asks for the next session
)

// Effect is what happens: a string, whose values are the constants.
type Effect = fault.Effect

// The effects. The first five are about answers, the others about what the broker does.
const (
	// Refuse answers with an error, and nothing is done. A receiver that is refused a message is detached.
	Refuse Effect = fault.Refuse
	// Busy is Refuse with com.microsoft:server-busy.
	Busy Effect = fault.Busy
	// Delay does it at once and answers later. A message is handed out later.
	Delay Effect = fault.Delay
	// Stall does it and does not answer until the fault is cleared. A message is not handed out until then.
	Stall Effect = fault.Stall
	// DropBefore cuts the connection, and nothing is done.
	DropBefore Effect = fault.DropBefore
	// DropAfter does it, makes it durable, and cuts the connection instead of answering.
	DropAfter Effect = fault.DropAfter
	// LoseLock ends the lock: of a message just handed out, or of one that is being settled. It comes again.
	LoseLock Effect = fault.LoseLock
	// Duplicate confirms that a message is completed and delivers it once more.
	Duplicate Effect = fault.Duplicate
	// Reorder gives the next session to be accepted at random. Inside a session the order stays.
	Reorder Effect = fault.Reorder
)

// Inject switches faults on, after those that are: of several that could happen at the same moment, the first does. A
// fault for an entity that is not there is refused.
func (s *Server) Inject(list ...Fault) error { return s.broker.Inject(list...) }

// Faults lists what Inject has switched on since ClearFaults, in order, with what has happened. Those that are over stay.
func (s *Server) Faults() []Injected { return s.broker.Injected() }

// ClearFaults switches all faults off. What a Stall has held back goes out.
func (s *Server) ClearFaults() { s.broker.ClearFaults() }
