package amqpserver

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

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

// Target takes what a client sends.
type Target interface {
	// Receive takes one message; the payload is the target's own. An error rejects it.
	Receive(format uint32, payload []byte) error
	// MaxMessageSize is told to the client and enforced.
	MaxMessageSize() uint64
	Detach()
}

// Responder is a target that answers each message: the reply goes out on the receiving link of the same node.
type Responder interface {
	Target
	Respond(payload []byte) (reply []byte, err error)
}

// Source gives a client what it receives.
type Source interface {
	// Take emits at most n deliveries and returns their number. If it is below n, the source calls Link.Wake when there
	// may be more. tag and payload are only read during emit.
	Take(n int, emit func(tag, payload []byte)) int
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
func (r *Replies) Take(n int, emit func(tag, payload []byte)) int {
	n = min(n, len(r.queue))
	for i, reply := range r.queue[:n] {
		emit(nil, reply)
		r.queue[i] = nil
	}
	r.queue = r.queue[n:]
	return n
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
