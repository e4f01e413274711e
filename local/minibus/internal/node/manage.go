package node

import (
	"errors"
	"strings"

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
}

// MaxMessageSize implements amqpserver.Target.
func (*manager) MaxMessageSize() uint64 { return 4 * content.MaxSize }

// Detach implements amqpserver.Target.
func (g *manager) Detach() { g.in.Part(g.link) }

// Receive implements amqpserver.Target; amqpserver calls Respond instead.
func (*manager) Receive(uint32, []byte) error { return nil }

// operations of $management, without their prefix, and the claim that each needs.
var operations = map[string]struct {
	claim sas.Claim
	run   func(*manager, *request) (response, error)
}{
	"renew-lock":                 {sas.Listen, (*manager).renewLock},
	"update-disposition":         {sas.Listen, (*manager).updateDisposition},
	"peek-message":               {sas.Listen, (*manager).peek},
	"receive-by-sequence-number": {sas.Listen, (*manager).receiveDeferred},
	"schedule-message":           {sas.Send, (*manager).schedule},
	"cancel-scheduled-message":   {sas.Send, (*manager).cancelScheduled},
	"renew-session-lock":         {sas.Listen, (*manager).renewSessionLock},
	"get-session-state":          {sas.Listen, (*manager).sessionState},
	"set-session-state":          {sas.Listen, (*manager).setSessionState},
	"get-message-sessions":       {sas.Listen, (*manager).listSessions},
	"add-rule":                   {sas.Listen, (*manager).addRule},
	"remove-rule":                {sas.Listen, (*manager).removeRule},
	"enumerate-rules":            {sas.Listen, (*manager).enumerateRules},
}

// Respond implements amqpserver.Responder.
func (g *manager) Respond(payload []byte) ([]byte, error) {
	r, err := parseRequest(payload)
	if err != nil {
		return nil, err
	}
	name, _ := amqpwire.Text(r.properties.Get("operation"))
	op, known := operations[strings.TrimPrefix(name, "com.microsoft:")]
	if !known {
		return failure(500, condNotSupported, "The operation '"+name+"' is not supported.").encode(r), nil
	}
	if err := g.peer.need(g.in, op.claim); err != nil {
		return refusal(err).encode(r), nil
	}
	var answer response
	err = g.in.Manage(func() error {
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
