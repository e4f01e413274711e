package broker

import (
	"encoding/binary"

	"github.com/relaybox/relaybox/local/minibus/internal/journal"
)

// What an entity writes to the journal. The caller holds Broker.mu; nobody is told anything before it is durable.

func (e *Entity) storeMessage(m *message) {
	if !e.b.journal.OnDisk() {
		return
	}
	e.b.record = m.appendRecord(e.b.record[:0])
	e.b.journal.Set(journal.NumberKey(journal.KindMessage, e.Key, m.seq), e.b.record)
	e.b.cool(m)
}

// storeStatus notes a new state or delivery count without writing the message again.
func (e *Entity) storeStatus(m *message) {
	m.restated = true
	e.b.journal.Set(journal.NumberKey(journal.KindStatus, e.Key, m.seq), binary.AppendUvarint([]byte{byte(m.state)}, uint64(m.count)))
}

// forget removes a message's records.
func (e *Entity) forget(m *message) {
	m.stored = never
	e.b.journal.Delete(journal.NumberKey(journal.KindMessage, e.Key, m.seq))
	if m.restated {
		e.b.journal.Delete(journal.NumberKey(journal.KindStatus, e.Key, m.seq))
	}
}

// storeSequence keeps numbers from being given twice after the messages that had them are gone.
func (e *Entity) storeSequence() {
	e.b.journal.Set(journal.Key(journal.KindSequence, e.Key, 0), binary.AppendVarint(nil, e.last))
}

func (e *Entity) storeHistory(id string, until int64) {
	e.b.journal.Set(journal.NameKey(journal.KindHistory, e.Key, id), binary.AppendVarint(nil, until))
}

func (e *Entity) forgetHistory(id string) {
	e.b.journal.Delete(journal.NameKey(journal.KindHistory, e.Key, id))
}

// storeState writes a session's state, or removes it.
func (s *session) storeState() {
	k := journal.NameKey(journal.KindSession, s.in.Key, s.id)
	if s.state == nil {
		s.in.b.journal.Delete(k)
		return
	}
	s.in.b.journal.Set(k, append(binary.AppendVarint(nil, s.stateAt), s.state...))
}
