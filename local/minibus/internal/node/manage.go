package node

import (
	"errors"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/broker"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
)

// manager is the $management node of an entity, as seen from one connection.
type manager struct {
	peer *peer
	in   *broker.Entity
	link amqpserver.Link

	limit int // of a message that is scheduled
}

// MaxMessageSize implements amqpserver.Target.
func (g *manager) MaxMessageSize() uint64 {
	return uint64(max(4*content.MaxSize, g.limit+content.MaxSize))
}

// Detach implements amqpserver.Target.
func (g *manager) Detach() { g.in.Part(g.link) }

// Receive implements amqpserver.Target; amqpserver calls Respond instead.
func (*manager) Receive(uint32, []byte) error { return nil }

// place is what becomes of a request that comes as part of a transaction.
type place int

// The places.
const (
	noPart   place = iota // it is refused
	atOnce                // it is done at once: receiving is no part of transactions, and the rest changes nothing
	enlisted              // it happens with the transaction
)

// operations of $management, without their prefix, the claim that each needs, and its place in transactions: .NET's client
// sends all that it asks for meanwhile as part of one.
var operations = map[string]struct {
	claim sas.Claim
	in    place
	run   func(*manager, *request) (response, error)
}{
	"renew-lock":                 {sas.Listen, atOnce, (*manager).renewLock},
	"update-disposition":         {sas.Listen, enlisted, (*manager).updateDisposition},
	"peek-message":               {sas.Listen, atOnce, (*manager).peek},
	"receive-by-sequence-number": {sas.Listen, atOnce, (*manager).receiveDeferred},
	"schedule-message":           {sas.Send, enlisted, (*manager).schedule},
	"cancel-scheduled-message":   {sas.Send, enlisted, (*manager).cancelScheduled},
	"batch-delete-messages":      {sas.Listen, noPart, (*manager).deleteBatch},
	"renew-session-lock":         {sas.Listen, atOnce, (*manager).renewSessionLock},
	"get-session-state":          {sas.Listen, atOnce, (*manager).sessionState},
	"set-session-state":          {sas.Listen, enlisted, (*manager).setSessionState},
	"get-message-sessions":       {sas.Listen, atOnce, (*manager).listSessions},
	"add-rule":                   {sas.Listen, noPart, (*manager).addRule},
	"remove-rule":                {sas.Listen, noPart, (*manager).removeRule},
	"enumerate-rules":            {sas.Listen, atOnce, (*manager).enumerateRules},
}

var _ amqpserver.EnlistedResponder = (*manager)(nil)

// Enlists implements amqpserver.EnlistedResponder.
func (g *manager) Enlists(payload []byte) error {
	r, err := parseRequest(payload)
	if err != nil {
		return err
	}
	if name := r.operation(); operations[name].in == noPart {
		return amqpwire.Errorf(amqpwire.CondNotImplemented, "The operation '%s' takes no part in transactions.", name)
	}
	return nil
}

// RespondIn implements amqpserver.EnlistedResponder.
func (g *manager) RespondIn(txn, payload []byte) ([]byte, error) {
	r, err := parseRequest(payload)
	if err != nil {
		return nil, err
	}
	r.txn = txn
	return g.respond(r)
}

// Respond implements amqpserver.Responder.
func (g *manager) Respond(payload []byte) ([]byte, error) {
	r, err := parseRequest(payload)
	if err != nil {
		return nil, err
	}
	return g.respond(r)
}

func (g *manager) respond(r *request) ([]byte, error) {
	name := r.operation()
	op, known := operations[name]
	if !known {
		return failure(500, condNotSupported, "The operation '"+name+"' is not supported.").encode(r), nil
	}
	if err := g.peer.need(g.in, op.claim); err != nil {
		return refusal(err).encode(r), nil
	}
	var answer response
	err := g.in.Manage(func() (err error) {
		answer, err = op.run(g, r)
		return err
	})
	if i, ok := errors.AsType[*amqpserver.Interruption](err); ok {
		if i.Err != nil {
			answer = refusal(i.Err)
		}
		return answer.encode(r), i
	}
	if err != nil {
		answer = refusal(err)
	}
	return answer.encode(r), nil
}

// linkSession is the session of the receiver on whose behalf a request is made, if it has one.
func (g *manager) linkSession(r *request) (string, bool) {
	if id, ok := r.text("session-id"); ok {
		return id, true
	}
	name, _ := amqpwire.Text(r.properties.Get("associated-link-name"))
	return g.peer.receivers.Session(name, g.in)
}
