package minibus

import (
	"github.com/relaybox/relaybox/local/faulthttp"
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
)

// Duration is a time.Duration that JSON writes like "250ms".
type Duration = faulthttp.Duration

// Fault is one thing that goes wrong: a value, switched on with Server.Inject or POST /relaybox/faults.
type Fault = fault.Fault

// Injected is a fault that is or was switched on, and how often it has happened.
type Injected = fault.Injected

// ErrFault: a fault cannot be injected; the text names the field and the remedy.
var ErrFault = fault.ErrFault

// Moment is what a fault happens to.
type Moment = fault.Moment

// The moments.
const (
	OnSend    = fault.OnSend    // a client sends a message or a batch
	OnReceive = fault.OnReceive // a message is handed out
	OnSettle  = fault.OnSettle  // a client completes, abandons, defers or dead-letters over its link
	OnAttach  = fault.OnAttach  // a client opens a sender or receiver
	OnManage  = fault.OnManage  // a request to $management: renewals, peeks, schedules, session states, …
	OnAccept  = fault.OnAccept  // a client asks for the next session
)

// Effect is what happens.
type Effect = fault.Effect

// The effects. The first five are about answers, the others about what the broker does.
const (
	// Refuse answers with an error, and nothing is done. A receiver that is refused a message is detached.
	Refuse = fault.Refuse
	// Busy is Refuse with com.microsoft:server-busy.
	Busy = fault.Busy
	// Delay does it at once and answers later. A message is handed out later.
	Delay = fault.Delay
	// Stall does it and does not answer until the fault is cleared. A message is not handed out until then.
	Stall = fault.Stall
	// DropBefore cuts the connection, and nothing is done.
	DropBefore = fault.DropBefore
	// DropAfter does it, makes it durable, and cuts the connection instead of answering.
	DropAfter = fault.DropAfter
	// LoseLock ends the lock: of a message just handed out, or of one that is being settled. It comes again.
	LoseLock = fault.LoseLock
	// Duplicate confirms that a message is completed and delivers it once more.
	Duplicate = fault.Duplicate
	// Reorder gives the next session to be accepted at random. Inside a session the order stays.
	Reorder = fault.Reorder
)

// Inject switches faults on, after those that are: of several that could happen at the same moment, the first does.
func (s *Server) Inject(list ...Fault) error { return s.broker.Inject(list...) }

// Faults lists what Inject has switched on since ClearFaults, in order, with what has happened. Those that are over stay.
func (s *Server) Faults() []Injected { return s.broker.Injected() }

// ClearFaults switches all faults off. What a Stall has held back goes out.
func (s *Server) ClearFaults() { s.broker.ClearFaults() }
