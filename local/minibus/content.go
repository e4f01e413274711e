package minibus

import (
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// content is what a client has sent, cut up once. It is never changed, so that copies of a message share it; what changes
// a message gives it another one. Sections
// that the broker does not own keep their bytes.
type content struct {
	header      amqpwire.Header // its delivery-count is not used
	deliveryAnn annotations
	messageAnn  annotations
	properties  amqpwire.Raw
	appProps    amqpwire.Raw
	body        amqpwire.Raw
	footer      amqpwire.Raw

	messageID  string
	sessionID  string
	hasSession bool
	generated  bool  // the message-id is ours: it is no duplicate of anything
	expiry     int64 // absolute-expiry-time, or 0
	due        int64 // x-opt-scheduled-enqueue-time, or 0
	size       int
}

// annotations are the pairs of an annotation map that the broker passes on, encoded.
type annotations struct {
	pairs amqpwire.Raw
	count int
}

// Annotations of Service Bus.
const (
	annSequence        = "x-opt-sequence-number"
	annEnqueued        = "x-opt-enqueued-time"
	annLockedUntil     = "x-opt-locked-until"
	annLockToken       = "x-opt-lock-token"
	annEnqueueSequence = "x-opt-enqueue-sequence-number"
	annState           = "x-opt-message-state"
	annScheduled       = "x-opt-scheduled-enqueue-time"
	annDeadSource      = "x-opt-deadletter-source"
)

// Limits of Service Bus: 128 characters for ids.
const maxIDLength = 128

// parseContent cuts an encoded message up. The payload becomes part of the content.
func parseContent(payload []byte) (*content, error) {
	m, err := amqpwire.Split(payload)
	if err != nil {
		return nil, amqpwire.Errorf(amqpwire.CondDecodeError, "message: %v", err)
	}
	c := &content{
		properties: m.Properties, appProps: m.ApplicationProperties, body: m.Body, footer: m.Footer, size: len(payload),
	}
	if err := c.header.Decode(m.Header); err != nil {
		return nil, amqpwire.Errorf(amqpwire.CondDecodeError, "message header: %v", err)
	}
	if err := c.readAnnotations(m); err != nil {
		return nil, err
	}
	if err := c.readProperties(); err != nil {
		return nil, err
	}
	return c, nil
}

// readAnnotations keeps the client's annotations. Those that the broker sets are accepted and dropped; a few make no
// sense as null and are refused, like Service Bus does.
func (c *content) readAnnotations(m amqpwire.Message) error {
	pairs, err := amqpwire.DecodePairs(m.MessageAnnotations)
	if err != nil {
		return amqpwire.Errorf(amqpwire.CondDecodeError, "message annotations: %v", err)
	}
	for _, p := range pairs {
		switch p.Key {
		case annSequence, annEnqueued, annLockedUntil:
			continue
		case annScheduled, annState, annEnqueueSequence:
			if p.IsNull() {
				return amqpwire.Errorf(amqpwire.CondNotAllowed, "The annotation '%s' must not be null.", p.Key)
			}
			if p.Key != annScheduled {
				continue
			}
			v, err := amqpwire.NewReader(p.Value).Value()
			t, ok := v.(amqpwire.Timestamp)
			if err != nil || !ok {
				return amqpwire.Errorf(amqpwire.CondNotAllowed, "The annotation '%s' must be a timestamp.", p.Key)
			}
			c.due = int64(t)
		}
		c.messageAnn.add(p)
	}
	if pairs, err = amqpwire.DecodePairs(m.DeliveryAnnotations); err != nil {
		return amqpwire.Errorf(amqpwire.CondDecodeError, "delivery annotations: %v", err)
	}
	for _, p := range pairs {
		if p.Key != annLockToken {
			c.deliveryAnn.add(p)
		}
	}
	return nil
}

func (a *annotations) add(p amqpwire.Pair) {
	a.pairs = amqpwire.AppendPair(a.pairs, p)
	a.count++
}

// readProperties finds the ids and gives the message one if it has none: clients cannot complete a message without it.
func (c *content) readProperties() error {
	var p amqpwire.Properties
	if err := p.Decode(c.properties); err != nil {
		return amqpwire.Errorf(amqpwire.CondDecodeError, "message properties: %v", err)
	}
	if p.GroupID != nil {
		c.sessionID, c.hasSession = *p.GroupID, true
	}
	if p.AbsoluteExpiryTime != nil {
		c.expiry = int64(*p.AbsoluteExpiryTime)
	}
	c.messageID = idText(p.MessageID)
	if p.MessageID == nil {
		c.generated = true
		c.messageID = strings.ReplaceAll(uuid.NewString(), "-", "")
		section, err := amqpwire.SetMessageID(c.properties, c.messageID)
		if err != nil {
			return amqpwire.Errorf(amqpwire.CondDecodeError, "message properties: %v", err)
		}
		c.properties = section
	}
	for name, id := range map[string]string{"MessageId": c.messageID, "SessionId": c.sessionID} {
		if tooLong(id) {
			return amqpwire.Errorf(amqpwire.CondNotAllowed, "The %s of a message must not be longer than %d characters.", name, maxIDLength)
		}
	}
	return nil
}

func tooLong(id string) bool { return len(id) > maxIDLength && len([]rune(id)) > maxIDLength }

// idText is a message-id of any of its types as text: ids of different types are different.
func idText(id any) string {
	switch id := id.(type) {
	case string:
		return id
	case amqpwire.UUID:
		return uuid.UUID(id).String()
	case []byte:
		return "\x00b" + string(id)
	case uint64:
		return "\x00u" + strconv.FormatUint(id, 10)
	}
	return ""
}

// headerSize is what the limit on properties counts.
func (c *content) headerSize() int {
	return len(c.properties) + len(c.appProps) + len(c.messageAnn.pairs) + len(c.deliveryAnn.pairs)
}

// with is the content with more application properties: new ones, or ones that replace.
func (c *content) with(more []amqpwire.Pair) (*content, error) {
	props, err := mergeProperties(c.appProps, more)
	if err != nil {
		return nil, err
	}
	changed := *c
	changed.appProps = props
	changed.size += len(props) - len(c.appProps)
	return &changed, nil
}

// mergeProperties returns an application-properties section with more pairs in it: new ones, or ones that replace.
func mergeProperties(section amqpwire.Raw, more []amqpwire.Pair) (amqpwire.Raw, error) {
	if len(more) == 0 {
		return section, nil
	}
	pairs, err := amqpwire.DecodePairs(section)
	if err != nil {
		return nil, err
	}
	index := map[string]int{}
	for i, p := range pairs {
		index[p.Key] = i
	}
	for _, p := range more {
		p.Raw = amqpwire.AppendString(nil, p.Key) // application properties have string keys (3.2.5), the source had symbols
		if i, ok := index[p.Key]; ok {
			pairs[i] = p
			continue
		}
		index[p.Key] = len(pairs)
		pairs = append(pairs, p)
	}
	return amqpwire.AppendSectionMap(nil, amqpwire.ApplicationProperties, len(pairs), func(b []byte) []byte {
		for _, p := range pairs {
			b = amqpwire.AppendPair(b, p)
		}
		return b
	}), nil
}

// property is one string property for mergeProperties.
func property(key, value string) amqpwire.Pair {
	return amqpwire.Pair{Key: key, Value: amqpwire.AppendString(nil, value)}
}
