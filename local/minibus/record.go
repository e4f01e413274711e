package minibus

import (
	"encoding/binary"
	"errors"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// recordVersion stands at the start of every message record: a format that is not known is refused, not misread.
const recordVersion = 1

var errRecord = errors.New("record of the broker store cannot be read")

// appendRecord encodes a message for the store: numbers, then sections with their lengths.
func (m *message) appendRecord(b []byte) []byte {
	c := m.kept
	b = append(b, recordVersion, byte(m.state), m.hops, byte(count(c.generated)))
	for _, n := range []int64{m.origin, m.enqueued, m.expires, m.due, int64(m.count), int64(m.size)} {
		b = binary.AppendVarint(b, n)
	}
	b = appendBytes(b, []byte(m.source))
	b = appendBytes(b, c.header.Append(nil))
	for _, a := range []annotations{c.deliveryAnn, c.messageAnn} {
		b = appendBytes(binary.AppendVarint(b, int64(a.count)), a.pairs)
	}
	for _, section := range []amqpwire.Raw{c.properties, c.appProps, c.body, c.footer} {
		b = appendBytes(b, section)
	}
	return b
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// recordReader reads what appendRecord has written. The first error sticks.
type recordReader struct {
	b   []byte
	err error
}

func (r *recordReader) number() int64 {
	n, w := binary.Varint(r.b)
	if w <= 0 {
		r.err = errRecord
		return 0
	}
	r.b = r.b[w:]
	return n
}

// bytes returns nil for an empty value: a section that is absent.
func (r *recordReader) bytes() []byte {
	n, w := binary.Uvarint(r.b)
	if w <= 0 || n > uint64(len(r.b)-w) {
		r.err = errRecord
		return nil
	}
	v := r.b[w : w+int(n) : w+int(n)]
	r.b = r.b[w+int(n):]
	if n == 0 {
		return nil
	}
	return v
}

// decodeRecord makes a message of a record, whose bytes its content keeps.
func decodeRecord(b []byte) (*message, error) {
	if len(b) < 4 || b[0] != recordVersion {
		return nil, errRecord
	}
	c := &content{generated: b[3] == 1}
	m := &message{kept: c, state: State(b[1]), hops: b[2], place: nowhere}
	m.alarm = alarm{place: nowhere, owner: m}
	r := recordReader{b: b[4:]}
	m.origin, m.enqueued, m.expires = r.number(), r.number(), r.number()
	m.due, m.count, m.size = r.number(), uint32(r.number()), int(r.number())
	c.due, c.size = m.due, m.size
	m.source = string(r.bytes())
	header := r.bytes()
	for _, a := range []*annotations{&c.deliveryAnn, &c.messageAnn} {
		a.count, a.pairs = int(r.number()), r.bytes()
	}
	c.properties, c.appProps, c.body, c.footer = r.bytes(), r.bytes(), r.bytes(), r.bytes()
	if r.err != nil {
		return nil, r.err
	}
	if err := c.header.Decode(header); err != nil {
		return nil, err
	}
	var p amqpwire.Properties
	if err := p.Decode(c.properties); err != nil {
		return nil, err
	}
	c.messageID = idText(p.MessageID)
	if p.GroupID != nil {
		c.sessionID, c.hasSession = *p.GroupID, true
	}
	if p.AbsoluteExpiryTime != nil {
		c.expiry = int64(*p.AbsoluteExpiryTime)
	}
	return m, nil
}
