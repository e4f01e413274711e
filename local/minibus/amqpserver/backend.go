package amqpserver

import (
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// Backend is the broker.
type Backend interface {
	// Connect is called for every connection that has been opened.
	Connect(remote string) Peer
	// Position names everything that the backend has been told up to now.
	Position() uint64
	// Durable blocks until everything up to a position will survive a crash. An error ends the connection.
	Durable(position uint64) error
}

// Peer is the backend's view of one connection. Its methods are called one at a time and must not block.
type Peer interface {
	// AttachTarget opens a link on which the client sends. An *amqpwire.Error says why not.
	AttachTarget(*amqpwire.Attach, Link) (Target, error)
	// AttachSource opens a link on which the client receives: it answers, at once or later, with link.Attached.
	// The cancel function, which may be nil, is called if the client goes away before that.
	AttachSource(*amqpwire.Attach, Link) (cancel func())
	// Close tells that the connection has ended. All links have been detached before.
	Close()
}

// Lapsing is a Peer that lets a client do something for a time only. It is asked after each request.
type Lapsing interface {
	Peer
	// NextLapse is when something ends; zero: never.
	NextLapse() time.Time
	// Lapsed says why a link may not stay, or nil.
	Lapsed(*amqpwire.Attach) *amqpwire.Error
}

// Transacting is a Peer with transactions.
type Transacting interface {
	Peer
	// Spoil tells that a part of a transaction has been refused and the client does not hear of it: nothing of the
	// transaction may happen.
	Spoil(txn []byte, why error)
}

// Target takes what a client sends.
type Target interface {
	// Receive takes one message; the payload is the target's own. An error rejects it.
	Receive(format uint32, payload []byte) error
	// MaxMessageSize is told to the client and enforced.
	MaxMessageSize() uint64
	Detach()
}

// Describer is a target that completes the attach frame that accepts its link.
type Describer interface {
	Target
	Describe(*amqpwire.Attach)
}

// Responder is a target that answers each message: the reply goes out on the receiving link of the same node.
type Responder interface {
	Target
	Respond(payload []byte) (reply []byte, err error)
}

// Coordinator is a target that begins and ends transactions (4.5). When it is detached, those that have not ended are
// rolled back.
type Coordinator interface {
	Target
	Declare() (id []byte, err error)
	Discharge(id []byte, fail bool) error
}

// Enlisted is a target that takes messages as part of a transaction, a responder that does requests so, and a source that
// takes verdicts so. What is refused now is no part of it; what is not happens when it is discharged.
type (
	EnlistedTarget interface {
		ReceiveIn(txn []byte, format uint32, payload []byte) error
	}
	EnlistedResponder interface {
		// Enlists says why a request can be part of none, or nil.
		Enlists(request []byte) error
		RespondIn(txn, payload []byte) (reply []byte, err error)
	}
	EnlistedSource interface {
		SettleIn(txn, tag []byte, state amqpwire.State) error
	}
)

// Source gives a client what it receives.
type Source interface {
	// Take emits at most n deliveries and returns their number. It ends when emit says that there is no room for more. If it is
	// below n and there is room, the source calls Link.Wake when there may be more. tag and payload are only read during emit.
	Take(n int, emit func(tag, payload []byte) (room bool)) int
	// Settle acts on the client's verdict. The error, if any, is told to the client.
	Settle(tag []byte, state amqpwire.State) error
	// Describe completes the attach frame that accepts the link.
	Describe(*amqpwire.Attach)
	Detach()
}

// Link is how a source or target reaches its link. The methods never block and may be called with the backend's locks held.
type Link interface {
	// Attached answers AttachSource, once. It is not for targets.
	Attached(Source, error)
	// Wake says that Take may find something.
	Wake()
	// Fail detaches the link with an error.
	Fail(*amqpwire.Error)
	// Cut ends the connection without a word.
	Cut()
}

// Replies is the source of a request-response node's receiving link: the replies of the node's Responder.
type Replies struct {
	// OnDetach may be nil.
	OnDetach func()

	queue [][]byte
}

// Take implements Source.
func (r *Replies) Take(n int, emit func(tag, payload []byte) (room bool)) int {
	taken := 0
	for room := true; room && taken < min(n, len(r.queue)); taken++ {
		room = emit(nil, r.queue[taken])
		r.queue[taken] = nil
	}
	r.queue = r.queue[taken:]
	return taken
}

// Settle implements Source: replies are sent settled.
func (r *Replies) Settle([]byte, amqpwire.State) error { return nil }

// Describe implements Source.
func (r *Replies) Describe(*amqpwire.Attach) {}

// Detach implements Source.
func (r *Replies) Detach() {
	if r.OnDetach != nil {
		r.OnDetach()
	}
}
