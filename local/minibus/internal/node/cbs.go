package node

import (
	"math"
	"strings"
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
	kind, _ := amqpwire.Text(r.properties.Get("type"))
	g, refusal := t.check(kind, token, audience)
	if refusal != "" {
		p.nodes.log.Warn("a client's token is refused", "audience", audience, "reason", refusal) // not every client tells its user
		return failure(401, amqpwire.CondUnauthorized, refusal)
	}
	if e, _ := p.nodes.Find(audience); e == nil && broker.Normalize(audience) != "" {
		return failure(404, amqpwire.CondNotFound, broker.NotFound(audience).Description)
	}
	if !p.grants.Add(g, time.Now().UnixMilli()) {
		return failure(500, amqpwire.CondResourceLimit, "Too many tokens on one connection.")
	}
	return response{code: 202, description: "Accepted"}
}

// check finds out what a token grants, or why nothing. What it is shows in the token: Python's client says that it is a
// JWT of every one.
func (t *tokens) check(kind, token, audience string) (g sas.Grant, refusal string) {
	n := t.peer.nodes
	switch sastoken := strings.HasPrefix(token, sas.Prefix); {
	case kind != kindJWT && kind != kindSAS:
		return g, "InvalidToken: Tokens of type '" + kind + "' are not accepted here."
	case sastoken || kind == kindSAS:
		if g, refusal = n.keys.Verify(token, audience, time.Now(), n.Keys(audience)); refusal != "" {
			return g, refusal
		}
		g.Scope = broker.EntityPath(audience)
		return g, ""
	case !n.jwt:
		return g, "InvalidToken: Tokens of Microsoft Entra are not accepted here. Send a shared access signature."
	}
	return sas.Grant{Scope: broker.EntityPath(audience), Claims: map[sas.Claim]bool{sas.Manage: true}, Until: math.MaxInt64}, ""
}

// Types of tokens.
const (
	kindJWT = "jwt"
	kindSAS = "servicebus.windows.net:sastoken"
)
