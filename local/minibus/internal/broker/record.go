package broker

import (
	"encoding/binary"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/clock"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/journal"
)

// recordVersion stands at the start of every message record: a format that is not known is refused, not misread. Records
// of versions before are read.
const (
	recordVersion     = 2
	recordWithoutLife = 1 // what the content wants was all there was
)

// appendRecord encodes a message for the store: numbers, then sections with their lengths.
func (m *message) appendRecord(b []byte) []byte {
	c := m.kept
	b = append(b, recordVersion, byte(m.state), m.hops, byte(count(c.Generated)))
	for _, n := range []int64{m.origin, m.enqueued, m.expires, m.due, int64(m.count), int64(m.size), m.life} {
		b = binary.AppendVarint(b, n)
	}
	b = journal.AppendBytes(b, []byte(m.source))
	b = journal.AppendBytes(b, c.Header.Append(nil))
	for _, a := range []content.Annotations{c.DeliveryAnn, c.MessageAnn} {
		b = journal.AppendBytes(binary.AppendVarint(b, int64(a.Count)), a.Pairs)
	}
	for _, section := range []amqpwire.Raw{c.Properties, c.AppProps, c.Body, c.Footer} {
		b = journal.AppendBytes(b, section)
	}
	return b
}

// decodeNumbers makes a message of the beginning of a record. Its content stays in the store; sections reads on.
func decodeNumbers(b []byte) (m *message, sections journal.Reader, err error) {
	if len(b) < 4 || b[0] != recordVersion && b[0] != recordWithoutLife {
		return nil, sections, journal.ErrRecord
	}
	m = &message{state: State(b[1]), hops: b[2], place: nowhere}
	m.alarm = clock.NewAlarm(m)
	r := journal.NewReader(b[4:])
	m.origin, m.enqueued, m.expires = r.Number(), r.Number(), r.Number()
	m.due, m.count, m.size = r.Number(), uint32(r.Number()), int(r.Number())
	if b[0] != recordWithoutLife {
		m.life = r.Number()
	}
	m.source = string(r.Bytes())
	return m, r, r.Fault()
}

// decodeRecord makes a message of a record, whose bytes its content keeps.
func decodeRecord(b []byte) (*message, error) {
	m, r, err := decodeNumbers(b)
	if err != nil {
		return nil, err
	}
	c := &content.Content{Generated: b[3] == 1, Due: m.due, Size: m.size}
	m.kept = c
	header := r.Bytes()
	for _, a := range []*content.Annotations{&c.DeliveryAnn, &c.MessageAnn} {
		a.Count, a.Pairs = int(r.Number()), r.Bytes()
	}
	c.Properties, c.AppProps, c.Body, c.Footer = r.Bytes(), r.Bytes(), r.Bytes(), r.Bytes()
	if err := r.Fault(); err != nil {
		return nil, err
	}
	if err := c.Header.Decode(header); err != nil {
		return nil, err
	}
	var p amqpwire.Properties
	if err := p.Decode(c.Properties); err != nil {
		return nil, err
	}
	c.MessageID = content.IDText(p.MessageID)
	if p.GroupID != nil {
		c.SessionID, c.HasSession = *p.GroupID, true
	}
	c.ReadLife(&p)
	return m, nil
}
