package minibus

import (
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// peer is one connection. Its maps are used under broker.mu, the rest by amqpserver's calls alone, one at a time.
type peer struct {
	b         *broker
	grants    sas.Grants
	cbsIn     bool // a $cbs sender is open
	cbsOut    bool // a $cbs receiver is open
	consumers map[string]*consumer
}

const (
	sessionFilter     = "com.microsoft:session-filter"
	formatBatch       = 0x80013700
	defaultSessionMs  = 60_000 // how long "next session" waits if the client does not say
	maxSessionStateKB = 256
)

// AttachTarget implements amqpserver.Peer.
func (p *peer) AttachTarget(a *amqpwire.Attach, link amqpserver.Link) (amqpserver.Target, error) {
	address := a.Target.Address
	if normalize(address) == nodeCBS {
		if p.cbsIn {
			return nil, amqpwire.Errorf(amqpwire.CondNotAllowed, "A link to '$cbs' is already open on this connection.")
		}
		p.cbsIn = true
		return &tokens{peer: p}, nil
	}
	e, management := p.b.find(address)
	switch {
	case e == nil:
		return nil, notFound(address)
	case management:
		if err := p.needAny(e); err != nil {
			return nil, err
		}
		return &manager{peer: p, in: e, link: link}, e.admit(link, anything)
	case e.Kind != topology.QueueKind && e.Kind != topology.TopicKind:
		return nil, amqpwire.Errorf(amqpwire.CondNotAllowed, "Messages cannot be sent to '%s'. Send to the queue or topic it belongs to.", e.Path)
	}
	if err := p.need(e, sas.Send); err != nil {
		return nil, err
	}
	if err := p.b.fault(fault.OnAttach, e).Around(nothingToDo); err != nil {
		return nil, err
	}
	return &producer{in: e, link: link}, e.admit(link, sending)
}

// AttachSource implements amqpserver.Peer.
func (p *peer) AttachSource(a *amqpwire.Attach, link amqpserver.Link) func() {
	address := a.Source.Address
	if normalize(address) == nodeCBS {
		if p.cbsOut {
			link.Attached(nil, amqpwire.Errorf(amqpwire.CondNotAllowed, "A link from '$cbs' is already open on this connection."))
			return nil
		}
		p.cbsOut = true
		link.Attached(&amqpserver.Replies{OnDetach: func() { p.cbsOut = false }}, nil)
		return nil
	}
	e, management := p.b.find(address)
	switch {
	case e == nil:
		link.Attached(nil, notFound(address))
	case management:
		err := p.needAny(e)
		if err == nil {
			err = e.admit(link, anything)
		}
		link.Attached(&amqpserver.Replies{OnDetach: func() { e.part(link) }}, err)
	case e.Kind == topology.TopicKind:
		link.Attached(nil, amqpwire.Errorf(amqpwire.CondNotAllowed, "Messages cannot be received from the topic '%s'. Receive from a subscription.", e.Path))
	default:
		return p.receive(a, e, link)
	}
	return nil
}

// receive attaches a consumer to an entity.
func (p *peer) receive(a *amqpwire.Attach, e *entity, link amqpserver.Link) (cancel func()) {
	if err := p.need(e, sas.Listen); err != nil {
		link.Attached(nil, err)
		return nil
	}
	if err := p.b.fault(fault.OnAttach, e).Around(nothingToDo); err != nil {
		link.Attached(nil, err)
		return nil
	}
	c := &consumer{peer: p, name: a.Name, in: e, link: link}
	c.deletes = a.SndSettleMode != nil && *a.SndSettleMode == amqpwire.SndSettled
	wanted, sessions := sessionWanted(a.Source.Filter, c)
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	if err := e.open(receiving); err != nil {
		link.Attached(nil, err)
		return nil
	}
	switch {
	case sessions && !e.Settings.RequiresSession:
		link.Attached(nil, amqpwire.Errorf(amqpwire.CondNotAllowed,
			"A sessionful message receiver cannot be created on an entity that does not require sessions. Ensure RequiresSession is set to true when creating the entity."))
		return nil
	case !sessions && e.Settings.RequiresSession:
		link.Attached(nil, amqpwire.Errorf(amqpwire.CondNotAllowed,
			"It is not possible for an entity that requires sessions to create a non-sessionful message receiver."))
		return nil
	}
	if sessions {
		id, named := wanted.(string)
		switch {
		case named:
			if err := e.acceptNamed(id, c); err != nil {
				link.Attached(nil, err)
				return nil
			}
		case !e.acceptNext(c):
			c.waiter = e.park(c, patience(a))
			p.consumers[c.name] = c
			return c.Detach
		}
	}
	p.consumers[c.name] = c
	e.links[link] = struct{}{}
	link.Attached(c, nil)
	return c.Detach // the client may go before it has heard of this
}

// sessionWanted reads the session filter: a string names a session, null takes the next. Some clients describe the
// value and some do not.
func sessionWanted(filters amqpwire.Map, c *consumer) (wanted any, sessions bool) {
	for _, f := range filters {
		if name, _ := amqpwire.Text(f.Key); name == sessionFilter {
			c.filter = f
			if d, ok := f.Value.(amqpwire.Described); ok {
				return d.Value, true
			}
			return f.Value, true
		}
	}
	return nil, false
}

// patience is how long a client wants to wait for a session.
func patience(a *amqpwire.Attach) int64 {
	if ms, ok := amqpwire.Int(a.Properties.Get("com.microsoft:timeout")); ok && ms > 0 {
		return ms
	}
	return defaultSessionMs
}

// Close implements amqpserver.Peer.
func (p *peer) Close() {}

func notFound(address string) *amqpwire.Error {
	return amqpwire.Errorf(amqpwire.CondNotFound, "The messaging entity '%s' could not be found.", address)
}

// need checks that the client has shown a token with a claim on an entity.
func (p *peer) need(e *entity, claims ...sas.Claim) error {
	if p.grants.Allow(e.key, time.Now().UnixMilli(), claims...) { // tokens live by the clock of those who make them
		return nil
	}
	return amqpwire.Errorf(amqpwire.CondUnauthorized,
		"Unauthorized access. '%s' claim(s) are required to perform this operation. Resource: '%s'.", joinClaims(claims), e.Path)
}

func nothingToDo() error { return nil }

// needAny: senders and receivers open $management alike; each operation checks its own claim.
func (p *peer) needAny(e *entity) error { return p.need(e, sas.Send, sas.Listen) }

func joinClaims(claims []sas.Claim) string {
	names := make([]string, len(claims))
	for i, c := range claims {
		names[i] = string(c)
	}
	return strings.Join(names, "', '")
}

// producer is a sending link.
type producer struct {
	in   *entity
	link amqpserver.Link
}

// MaxMessageSize implements amqpserver.Target.
func (*producer) MaxMessageSize() uint64 { return content.MaxSize }

// Detach implements amqpserver.Target.
func (t *producer) Detach() { t.in.part(t.link) }

// Receive implements amqpserver.Target: one message, or a batch in the data sections of an envelope that counts for nothing.
func (t *producer) Receive(format uint32, payload []byte) error {
	parts := [][]byte{payload}
	if format == formatBatch {
		envelope, err := amqpwire.Split(payload)
		if err == nil {
			parts, err = envelope.DataSections()
		}
		if err != nil {
			return amqpwire.Errorf(amqpwire.CondDecodeError, "batch: %v", err)
		}
		for i, part := range parts {
			parts[i] = append([]byte(nil), part...) // one message must not keep the whole batch in memory
		}
	}
	batch := make([]*content.Content, len(parts))
	for i, part := range parts {
		c, err := content.Parse(part)
		if err != nil {
			return err
		}
		batch[i] = c
	}
	b := t.in.b
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fault(fault.OnSend, t.in).Around(func() error {
		_, err := t.in.accept(batch)
		return err
	})
}
