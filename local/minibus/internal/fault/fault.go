package fault

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/faulthttp"
	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// Fault is one thing that goes wrong: a value, switched on with Server.Inject or POST /relaybox/faults.
type Fault struct {
	// Entity is the path of a queue, topic, subscription or dead-letter queue; "" is all of them.
	Entity string `json:"entity,omitempty"`
	// Session narrows a fault on send down to what has a message of a session that this pattern, of path.Match, fits.
	Session string `json:"session,omitempty"`
	On      Moment `json:"on"`
	Do      Effect `json:"do"`
	// Times is how often it happens before it is over; 0: until it is cleared.
	Times int `json:"times,omitempty"`
	// Chance is how likely it happens each time, above 0 and up to 1; 0: always.
	Chance float64 `json:"chance,omitempty"`
	// Delay is how long Delay takes.
	Delay faulthttp.Duration `json:"delay,omitempty"`
	// Condition and Text are the AMQP error with which Refuse answers; "": amqp:internal-error.
	Condition string `json:"condition,omitempty"`
	Text      string `json:"text,omitempty"`
}

// Moment is what a fault happens to.
type Moment string

// The moments.
const (
	OnSend    Moment = "send"    // a client sends a message or a batch
	OnReceive Moment = "receive" // a message is handed out
	OnSettle  Moment = "settle"  // a client completes, abandons, defers or dead-letters over its link
	OnAttach  Moment = "attach"  // a client opens a sender or receiver
	OnManage  Moment = "manage"  // a request to $management: renewals, peeks, schedules, session states, …
	OnAccept  Moment = "accept"  // a client asks for the next session
)

// Effect is what happens.
type Effect string

// The effects. The first five are about answers, the others about what the broker does.
const (
	// Refuse answers with an error, and nothing is done. A receiver that is refused a message is detached.
	Refuse Effect = "refuse"
	// Busy is Refuse with com.microsoft:server-busy.
	Busy Effect = "busy"
	// Delay does it at once and answers later. A message is handed out later.
	Delay Effect = "delay"
	// Stall does it and does not answer until the fault is cleared. A message is not handed out until then.
	Stall Effect = "stall"
	// DropBefore cuts the connection, and nothing is done.
	DropBefore Effect = "drop-before"
	// DropAfter does it, makes it durable, and cuts the connection instead of answering.
	DropAfter Effect = "drop-after"
	// LoseLock ends the lock: of a message just handed out, or of one that is being settled. It comes again.
	LoseLock Effect = "lose-lock"
	// Duplicate confirms that a message is completed and delivers it once more.
	Duplicate Effect = "duplicate"
	// Reorder gives the next session to be accepted at random. Inside a session the order stays.
	Reorder Effect = "reorder"
)

// possible are the effects that each moment can have.
var possible = map[Moment][]Effect{
	OnSend:    {Refuse, Busy, Delay, Stall, DropBefore, DropAfter},
	OnReceive: {Refuse, Busy, Delay, Stall, DropBefore, DropAfter, LoseLock},
	OnSettle:  {Refuse, Busy, Delay, Stall, DropBefore, DropAfter, LoseLock, Duplicate},
	OnAttach:  {Refuse, Busy, DropBefore},
	OnManage:  {Refuse, Busy, Delay, Stall, DropBefore, DropAfter},
	OnAccept:  {Reorder},
}

// ErrFault: a fault cannot be injected; the text names the field and the remedy.
var ErrFault = errors.New("fault")

func (f *Fault) check() error {
	effects, known := possible[f.On]
	switch {
	case !known:
		return fmt.Errorf("%w: on is %q: use send, receive, settle, attach, manage or accept", ErrFault, f.On)
	case !slices.Contains(effects, f.Do):
		return fmt.Errorf("%w: do is %q: with on %q use %s", ErrFault, f.Do, f.On, list(effects))
	case f.Times < 0:
		return fmt.Errorf("%w: times is %d: use a positive number, or 0 for always", ErrFault, f.Times)
	case f.Chance < 0 || f.Chance > 1:
		return fmt.Errorf("%w: chance is %v: use a number from 0 to 1", ErrFault, f.Chance)
	case (f.Do == Delay) != (f.Delay > 0):
		return fmt.Errorf("%w: delay is %v: it stands, and is positive, where do is delay", ErrFault, time.Duration(f.Delay))
	case f.Session != "" && f.On != OnSend:
		return fmt.Errorf("%w: session is %q: it stands where on is send", ErrFault, f.Session)
	case badPattern(f.Session):
		return fmt.Errorf("%w: session is %q: use a pattern like \"order-*\"", ErrFault, f.Session)
	case f.Do != Refuse && (f.Condition != "" || f.Text != ""):
		return fmt.Errorf("%w: condition and text stand where do is refuse", ErrFault)
	}
	return nil
}

func badPattern(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err != nil
}

func list(effects []Effect) string {
	names := make([]string, len(effects))
	for i, e := range effects {
		names[i] = string(e)
	}
	return strings.Join(names, ", ")
}

const serverBusy amqpwire.Symbol = "com.microsoft:server-busy"

// Refusal is the error of Refuse and Busy.
func (f *Armed) Refusal() *amqpwire.Error {
	if f.Do == Busy {
		return amqpwire.Errorf(serverBusy, "The request was terminated because the namespace is being throttled. Please wait 10 seconds and try again.")
	}
	return &amqpwire.Error{
		Condition:   amqpwire.Symbol(cmp.Or(f.Condition, string(amqpwire.CondInternalError))),
		Description: cmp.Or(f.Text, "The request was refused because a fault was injected."),
	}
}

// Around does an operation under a fault, of which there may be none.
func (f *Armed) Around(do func() error) error {
	if f == nil {
		return do()
	}
	switch f.Do {
	case Refuse, Busy:
		return f.Refusal()
	case DropBefore:
		return &amqpserver.Interruption{Cut: true}
	}
	err := do()
	switch f.Do {
	case DropAfter:
		return &amqpserver.Interruption{Cut: true}
	case Delay, Stall:
		return &amqpserver.Interruption{Err: err, Hold: f.Hold}
	}
	return err
}
