package content

import (
	"strings"

	"github.com/google/uuid"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// Content is what a client has sent, cut up once. It is never changed, so that copies of a message share it; what changes
// a message gives it another one. Sections
// that the broker does not own keep their bytes.
type Content struct {
	Header      amqpwire.Header // its delivery-count is not used
	DeliveryAnn Annotations
	MessageAnn  Annotations
	Properties  amqpwire.Raw
	AppProps    amqpwire.Raw
	Body        amqpwire.Raw
	Footer      amqpwire.Raw

	MessageID  string
	SessionID  string
	HasSession bool
	Generated  bool  // the message-id is ours: it is no duplicate of anything
	Life       int64 // what the sender wants, in milliseconds from the enqueueing; 0: no end
	Deadline   int64 // or until when; 0: Life tells
	Due        int64 // x-opt-scheduled-enqueue-time, or 0
	Size       int
}

// Parse cuts an encoded message up. The payload becomes part of the content.
func Parse(payload []byte) (*Content, error) {
	m, err := amqpwire.Split(payload)
	if err != nil {
		return nil, amqpwire.Errorf(amqpwire.CondDecodeError, "message: %v", err)
	}
	c := &Content{
		Properties: m.Properties, AppProps: m.ApplicationProperties, Body: m.Body, Footer: m.Footer, Size: len(payload),
	}
	if err := c.Header.Decode(m.Header); err != nil {
		return nil, amqpwire.Errorf(amqpwire.CondDecodeError, "message header: %v", err)
	}
	if err := c.readAnnotations(m); err != nil {
		return nil, err
	}
	if err := c.readProperties(); err != nil {
		return nil, err
	}
	c.Size += len(c.Properties) - len(m.Properties) // a message may be nothing but the id that it is given
	return c, nil
}

// readAnnotations keeps the client's annotations. Those that the broker sets are accepted and dropped; a few make no
// sense as null and are refused, like Service Bus does.
func (c *Content) readAnnotations(m amqpwire.Message) error {
	pairs, err := amqpwire.DecodePairs(m.MessageAnnotations)
	if err != nil {
		return amqpwire.Errorf(amqpwire.CondDecodeError, "message annotations: %v", err)
	}
	for _, p := range pairs {
		switch p.Key {
		case AnnSequence, AnnEnqueued, AnnLockedUntil:
			continue
		case AnnScheduled, AnnState, AnnEnqueueSequence:
			if p.IsNull() {
				return amqpwire.Errorf(amqpwire.CondNotAllowed, "The annotation '%s' must not be null.", p.Key)
			}
			if p.Key != AnnScheduled {
				continue
			}
			v, err := amqpwire.NewReader(p.Value).Value()
			t, ok := v.(amqpwire.Timestamp)
			if err != nil || !ok {
				return amqpwire.Errorf(amqpwire.CondNotAllowed, "The annotation '%s' must be a timestamp.", p.Key)
			}
			c.Due = int64(t)
		}
		c.MessageAnn.add(p)
	}
	if pairs, err = amqpwire.DecodePairs(m.DeliveryAnnotations); err != nil {
		return amqpwire.Errorf(amqpwire.CondDecodeError, "delivery annotations: %v", err)
	}
	for _, p := range pairs {
		if p.Key != AnnLockToken {
			c.DeliveryAnn.add(p)
		}
	}
	return nil
}

// readProperties finds the ids and gives the message one if it has none: clients cannot complete a message without it.
func (c *Content) readProperties() error {
	var p amqpwire.Properties
	if err := p.Decode(c.Properties); err != nil {
		return amqpwire.Errorf(amqpwire.CondDecodeError, "message properties: %v", err)
	}
	if p.GroupID != nil {
		c.SessionID, c.HasSession = *p.GroupID, true
	}
	c.ReadLife(&p)
	c.MessageID = IDText(p.MessageID)
	if p.MessageID == nil {
		c.Generated = true
		c.MessageID = strings.ReplaceAll(uuid.NewString(), "-", "")
		section, err := amqpwire.SetMessageID(c.Properties, c.MessageID)
		if err != nil {
			return amqpwire.Errorf(amqpwire.CondDecodeError, "message properties: %v", err)
		}
		c.Properties = section
	}
	for name, id := range map[string]string{"MessageId": c.MessageID, "SessionId": c.SessionID} {
		if TooLong(id) {
			return amqpwire.Errorf(amqpwire.CondNotAllowed, "The %s of a message must not be longer than %d characters.", name, maxIDLength)
		}
	}
	return nil
}

// ReadLife finds out how long the sender wants the message to live. Clients for which the 49 days of the header are too short send two
// times, of which only the difference counts: neither is by the broker's clock, and one client makes both in its own zone.
func (c *Content) ReadLife(p *amqpwire.Properties) {
	end, made, ttl := p.AbsoluteExpiryTime, p.CreationTime, c.Header.TTL
	switch {
	case end != nil && made != nil && *end > *made:
		c.Life = int64(*end - *made)
	case ttl != nil:
		c.Life = int64(*ttl)
	case end != nil && made == nil:
		c.Deadline = int64(*end)
	}
}

// HeaderSize is what the limit on properties counts.
func (c *Content) HeaderSize() int {
	return len(c.Properties) + len(c.AppProps) + len(c.MessageAnn.Pairs) + len(c.DeliveryAnn.Pairs)
}

// With is the content with more application properties: new ones, or ones that replace.
func (c *Content) With(more []amqpwire.Pair) (*Content, error) {
	props, err := mergeProperties(c.AppProps, more)
	if err != nil {
		return nil, err
	}
	changed := *c
	changed.AppProps = props
	changed.Size += len(props) - len(c.AppProps)
	return &changed, nil
}
