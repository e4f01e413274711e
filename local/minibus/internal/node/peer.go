package node

import (
	"log/slog"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/broker"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// nodes are what clients attach to: amqpserver.Backend.
type nodes struct {
	*broker.Broker
	keys sas.Keyring
	jwt  bool // accept tokens of Microsoft Entra without looking at them
	log  *slog.Logger
}

// New gives clients with the right keys the entities of a broker.
func New(b *broker.Broker, keys sas.Keyring, jwt bool, log *slog.Logger) amqpserver.Backend {
	return &nodes{b, keys, jwt, log}
}

// Connect implements amqpserver.Backend.
func (n *nodes) Connect(string) amqpserver.Peer {
	return &peer{nodes: n, receivers: broker.NewReceivers()}
}

// peer is one connection: amqpserver's calls come one at a time.
type peer struct {
	nodes     *nodes
	grants    sas.Grants
	cbsIn     bool // a $cbs sender is open
	cbsOut    bool // a $cbs receiver is open
	receivers *broker.Receivers
}

const (
	nodeCBS     = "$cbs"
	formatBatch = 0x80013700
)

// AttachTarget implements amqpserver.Peer.
func (p *peer) AttachTarget(a *amqpwire.Attach, link amqpserver.Link) (amqpserver.Target, error) {
	if a.Coordinator != nil {
		return &coordinator{p}, nil
	}
	address := a.Target.Address
	if broker.Normalize(address) == nodeCBS {
		if p.cbsIn {
			return nil, amqpwire.Errorf(amqpwire.CondNotAllowed, "A link to '$cbs' is already open on this connection.")
		}
		p.cbsIn = true
		return &tokens{peer: p}, nil
	}
	e, management := p.nodes.Find(address)
	switch {
	case e == nil:
		return nil, broker.NotFound(address)
	case management:
		if err := p.needAny(e); err != nil {
			return nil, err
		}
		return &manager{peer: p, in: e, link: link, limit: e.MessageLimit()}, e.Admit(link, broker.Anything)
	case e.Kind != topology.QueueKind && e.Kind != topology.TopicKind:
		return nil, amqpwire.Errorf(amqpwire.CondNotAllowed, "Messages cannot be sent to '%s'. Send to the queue or topic it belongs to.", e.Path)
	}
	if err := p.need(e, sas.Send); err != nil {
		return nil, err
	}
	if err := e.AttachFault(); err != nil {
		return nil, err
	}
	return &producer{in: e, link: link, with: p.receivers, limit: e.MessageLimit()}, e.Admit(link, broker.Sending)
}

// AttachSource implements amqpserver.Peer.
func (p *peer) AttachSource(a *amqpwire.Attach, link amqpserver.Link) func() {
	address := a.Source.Address
	if broker.Normalize(address) == nodeCBS {
		if p.cbsOut {
			link.Attached(nil, amqpwire.Errorf(amqpwire.CondNotAllowed, "A link from '$cbs' is already open on this connection."))
			return nil
		}
		p.cbsOut = true
		link.Attached(&amqpserver.Replies{OnDetach: func() { p.cbsOut = false }}, nil)
		return nil
	}
	e, management := p.nodes.Find(address)
	switch {
	case e == nil:
		link.Attached(nil, broker.NotFound(address))
	case management:
		err := p.needAny(e)
		if err == nil {
			err = e.Admit(link, broker.Anything)
		}
		link.Attached(&amqpserver.Replies{OnDetach: func() { e.Part(link) }}, err)
	case e.Kind == topology.TopicKind:
		link.Attached(nil, amqpwire.Errorf(amqpwire.CondNotAllowed, "Messages cannot be received from the topic '%s'. Receive from a subscription.", e.Path))
	default:
		return p.receive(a, e, link)
	}
	return nil
}

// receive attaches a consumer to an entity.
func (p *peer) receive(a *amqpwire.Attach, e *broker.Entity, link amqpserver.Link) (cancel func()) {
	if err := p.need(e, sas.Listen); err != nil {
		link.Attached(nil, err)
		return nil
	}
	if err := e.AttachFault(); err != nil {
		link.Attached(nil, err)
		return nil
	}
	return e.Attach(p.receivers, a, link)
}

// Close implements amqpserver.Peer.
func (p *peer) Close() {}

// need checks that the client has shown a token with a claim on an entity.
func (p *peer) need(e *broker.Entity, claims ...sas.Claim) error {
	if p.grants.Allow(e.Key, time.Now().UnixMilli(), claims...) { // tokens live by the clock of those who make them
		return nil
	}
	return amqpwire.Errorf(amqpwire.CondUnauthorized,
		"Unauthorized access. '%s' claim(s) are required to perform this operation. Resource: '%s'.", joinClaims(claims), e.Path)
}

// needAny: senders and receivers open $management alike; each operation checks its own claim.
func (p *peer) needAny(e *broker.Entity) error { return p.need(e, sas.Send, sas.Listen) }

func joinClaims(claims []sas.Claim) string {
	names := make([]string, len(claims))
	for i, c := range claims {
		names[i] = string(c)
	}
	return strings.Join(names, "', '")
}

// producer is a sending link.
type producer struct {
	in   *broker.Entity
	link amqpserver.Link
	with *broker.Receivers

	limit int // of a message, when the link was opened: when it changes, the link ends
}

var _ amqpserver.Describer = (*producer)(nil)

// MaxMessageSize implements amqpserver.Target.
func (t *producer) MaxMessageSize() uint64 { return uint64(t.limit) }

// maxBatch is what a batch may have, however large a message may be.
const maxBatch = 1 << 20

// Describe implements amqpserver.Describer: clients make their batches as large as a message, or as this says.
func (t *producer) Describe(a *amqpwire.Attach) {
	if t.limit > maxBatch {
		a.Properties = append(a.Properties, amqpwire.Entry{Key: amqpwire.Symbol("com.microsoft:max-message-batch-size"), Value: uint64(maxBatch)})
	}
}

// Detach implements amqpserver.Target.
func (t *producer) Detach() { t.in.Part(t.link) }

// Receive implements amqpserver.Target: one message, or a batch in the data sections of an envelope that counts for nothing.
func (t *producer) Receive(format uint32, payload []byte) error {
	batch, err := messages(format, payload)
	if err != nil {
		return err
	}
	return t.in.Send(batch)
}

// ReceiveIn implements amqpserver.EnlistedTarget.
func (t *producer) ReceiveIn(txn []byte, format uint32, payload []byte) error {
	batch, err := messages(format, payload)
	if err != nil {
		return err
	}
	return t.in.SendIn(t.with, txn, batch)
}

// messages are those of a transfer.
func messages(format uint32, payload []byte) ([]*content.Content, error) {
	parts := [][]byte{payload}
	if format == formatBatch {
		if len(payload) > maxBatch {
			return nil, amqpwire.Errorf(amqpwire.CondMessageSizeExceeded, "The batch has %d bytes; %d are allowed. Send large messages one by one.", len(payload), maxBatch)
		}
		envelope, err := amqpwire.Split(payload)
		if err == nil {
			parts, err = envelope.DataSections()
		}
		if err != nil {
			return nil, amqpwire.Errorf(amqpwire.CondDecodeError, "batch: %v", err)
		}
		for i, part := range parts {
			parts[i] = append([]byte(nil), part...) // one message must not keep the whole batch in memory
		}
	}
	batch := make([]*content.Content, len(parts))
	for i, part := range parts {
		c, err := content.Parse(part)
		if err != nil {
			return nil, err
		}
		batch[i] = c
	}
	return batch, nil
}
