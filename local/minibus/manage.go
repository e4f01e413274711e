package minibus

import (
	"errors"
	"strings"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// manager is the $management node of an entity, as seen from one connection.
type manager struct {
	peer *peer
	in   *entity
	link amqpserver.Link
}

// MaxMessageSize implements amqpserver.Target.
func (*manager) MaxMessageSize() uint64 { return 4 * maxMessageSize }

// Detach implements amqpserver.Target.
func (g *manager) Detach() { g.in.part(g.link) }

// Receive implements amqpserver.Target; amqpserver calls Respond instead.
func (*manager) Receive(uint32, []byte) error { return nil }

// operations of $management, without their prefix, and the claim that each needs.
var operations = map[string]struct {
	claim Claim
	run   func(*manager, *request) (response, error)
}{
	"renew-lock":                 {Listen, (*manager).renewLock},
	"update-disposition":         {Listen, (*manager).updateDisposition},
	"peek-message":               {Listen, (*manager).peek},
	"receive-by-sequence-number": {Listen, (*manager).receiveDeferred},
	"schedule-message":           {Send, (*manager).schedule},
	"cancel-scheduled-message":   {Send, (*manager).cancelScheduled},
	"renew-session-lock":         {Listen, (*manager).renewSessionLock},
	"get-session-state":          {Listen, (*manager).sessionState},
	"set-session-state":          {Listen, (*manager).setSessionState},
	"get-message-sessions":       {Listen, (*manager).listSessions},
	"add-rule":                   {Listen, (*manager).addRule},
	"remove-rule":                {Listen, (*manager).removeRule},
	"enumerate-rules":            {Listen, (*manager).enumerateRules},
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
	g.in.b.mu.Lock()
	defer g.in.b.mu.Unlock()
	if err := g.in.open(anything); err != nil {
		return refusal(err).encode(r), nil
	}
	var answer response
	err = g.in.b.fault(OnManage, g.in).around(func() error {
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
	if c := g.peer.consumers[name]; c != nil && c.in == g.in && c.session != nil {
		return c.session.id, true
	}
	return "", false
}
