package node

import (
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/broker"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
)

// tokens is the $cbs node of a connection: clients put the tokens there that their links need.
type tokens struct{ peer *peer }

// MaxMessageSize implements amqpserver.Target.
func (*tokens) MaxMessageSize() uint64 { return content.MaxSize }

// Detach implements amqpserver.Target.
func (t *tokens) Detach() { t.peer.cbsIn = false }

// Receive implements amqpserver.Target; amqpserver calls Respond instead.
func (t *tokens) Receive(uint32, []byte) error { return nil }

// Respond implements amqpserver.Responder.
func (t *tokens) Respond(payload []byte) ([]byte, error) {
	r, err := parseRequest(payload)
	if err != nil {
		return nil, err
	}
	return t.put(r).encode(r), nil
}

// put checks a token. An entity that does not exist must be reported here: it is the only answer that clients take for
// "not found".
func (t *tokens) put(r *request) response {
	p := t.peer
	token, _ := r.body.(string)
	audience, _ := amqpwire.Text(r.properties.Get("name"))
	if op, _ := amqpwire.Text(r.properties.Get("operation")); op != "put-token" {
		return failure(500, condNotSupported, "The operation '"+op+"' is not known to $cbs.")
	}
	var g sas.Grant
	switch kind, _ := amqpwire.Text(r.properties.Get("type")); {
	case kind == "jwt" && p.nodes.jwt:
		g = sas.Grant{Scope: broker.Normalize(audience), Claims: map[sas.Claim]bool{sas.Manage: true}, Until: time.Now().Add(time.Hour).UnixMilli()}
	case kind != "servicebus.windows.net:sastoken":
		return failure(401, amqpwire.CondUnauthorized, "InvalidToken: Tokens of type '"+kind+"' are not accepted here.")
	default:
		var refusal string
		if g, refusal = p.nodes.keys.Verify(token, audience, time.Now()); refusal != "" {
			return failure(401, amqpwire.CondUnauthorized, refusal)
		}
		g.Scope = broker.EntityPath(audience)
	}
	if e, _ := p.nodes.Find(audience); e == nil && broker.Normalize(audience) != "" {
		return failure(404, amqpwire.CondNotFound, broker.NotFound(audience).Description)
	}
	if !p.grants.Add(g, time.Now().UnixMilli()) {
		return failure(500, amqpwire.CondResourceLimit, "Too many tokens on one connection.")
	}
	return response{code: 202, description: "Accepted"}
}
