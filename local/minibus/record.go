package minibus

import (
	"encoding/binary"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/journal"
)

// recordVersion stands at the start of every message record: a format that is not known is refused, not misread.
const recordVersion = 1

// appendRecord encodes a message for the store: numbers, then sections with their lengths.
func (m *message) appendRecord(b []byte) []byte {
	c := m.kept
	b = append(b, recordVersion, byte(m.state), m.hops, byte(count(c.generated)))
	for _, n := range []int64{m.origin, m.enqueued, m.expires, m.due, int64(m.count), int64(m.size)} {
		b = binary.AppendVarint(b, n)
	}
	b = journal.AppendBytes(b, []byte(m.source))
	b = journal.AppendBytes(b, c.header.Append(nil))
	for _, a := range []annotations{c.deliveryAnn, c.messageAnn} {
		b = journal.AppendBytes(binary.AppendVarint(b, int64(a.count)), a.pairs)
	}
	for _, section := range []amqpwire.Raw{c.properties, c.appProps, c.body, c.footer} {
		b = journal.AppendBytes(b, section)
	}
	return b
}

// decodeRecord makes a message of a record, whose bytes its content keeps.
func decodeRecord(b []byte) (*message, error) {
	if len(b) < 4 || b[0] != recordVersion {
		return nil, journal.ErrRecord
	}
	c := &content{generated: b[3] == 1}
	m := &message{kept: c, state: State(b[1]), hops: b[2], place: nowhere}
	m.alarm = alarm{place: nowhere, owner: m}
	r := journal.NewReader(b[4:])
	m.origin, m.enqueued, m.expires = r.Number(), r.Number(), r.Number()
	m.due, m.count, m.size = r.Number(), uint32(r.Number()), int(r.Number())
	c.due, c.size = m.due, m.size
	m.source = string(r.Bytes())
	header := r.Bytes()
	for _, a := range []*annotations{&c.deliveryAnn, &c.messageAnn} {
		a.count, a.pairs = int(r.Number()), r.Bytes()
	}
	c.properties, c.appProps, c.body, c.footer = r.Bytes(), r.Bytes(), r.Bytes(), r.Bytes()
	if err := r.Fault(); err != nil {
		return nil, err
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
