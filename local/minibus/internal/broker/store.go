package broker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

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

// restore rebuilds the entities from the store. Locks are gone: what was locked can be received again, its count as it was.
func (b *Broker) restore() error {
	if !b.journal.OnDisk() {
		return nil
	}
	it, err := b.journal.Walk(nil, nil)
	if err != nil {
		return err
	}
	defer it.Close()
	orphans := map[string]int{}
	// Kinds are in the order of their letters: times, session states, history, messages, sequence numbers, statuses.
	for valid := it.First(); valid; valid = it.Next() {
		if err := b.restoreOne(it, orphans); err != nil {
			return fmt.Errorf("broker store, key %q: %w", it.Key(), err)
		}
	}
	for path, n := range orphans {
		b.log.Warn("the configuration has no such entity any more; its data is kept", "entity", path, "records", n)
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("read broker store: %w", err)
	}
	b.resume()
	return nil
}

func (b *Broker) restoreOne(it *pebble.Iterator, orphans map[string]int) error {
	kind, path, rest, err := journal.SplitKey(it.Key())
	if err != nil {
		return err
	}
	e := b.entities[string(path)]
	v, err := it.ValueAndErr()
	switch {
	case err != nil:
		return err
	case kind == journal.KindChange:
		return nil // restoreChanges has read it
	case kind == journal.KindTimes:
		return b.restoreTimes(string(path), v)
	case e == nil:
		orphans[string(path)]++
		return nil
	}
	switch kind {
	case journal.KindSession:
		at, w := binary.Varint(v)
		if w <= 0 {
			return journal.ErrRecord
		}
		s := e.sessionOf(string(rest))
		s.stateAt, s.state = at, append([]byte{}, v[w:]...)
	case journal.KindHistory:
		until, w := binary.Varint(v)
		if w <= 0 {
			return journal.ErrRecord
		}
		e.history.order = append(e.history.order, remembered{string(rest), until})
	case journal.KindSequence:
		e.last, _ = binary.Varint(v)
	case journal.KindMessage:
		return e.restoreMessage(rest, v)
	case journal.KindStatus:
		return e.restoreStatus(rest, v)
	}
	return nil
}

func (e *Entity) restoreMessage(number, record []byte) error {
	if len(number) != 8 {
		return journal.ErrRecord
	}
	warm := e.b.warm < e.b.maxWarm
	if warm {
		record = bytes.Clone(record)
	}
	m, err := decodeRecord(record)
	if err != nil {
		return err
	}
	m.in, m.seq = e, int64(binary.BigEndian.Uint64(number))
	e.log.add(m)
	e.bytes += m.size
	e.states[m.state]++
	if e.Settings.RequiresSession {
		m.session = e.sessionOf(strings.Clone(m.kept.SessionID))
		m.session.messages++
	}
	if warm {
		e.b.warm += m.size
	} else {
		m.kept = nil // it shares its bytes with the iterator
	}
	return nil
}

func (e *Entity) restoreStatus(number, status []byte) error {
	if len(number) != 8 || len(status) < 2 {
		return journal.ErrRecord
	}
	m := e.log.get(int64(binary.BigEndian.Uint64(number)))
	if m == nil {
		return journal.ErrRecord
	}
	n, _ := binary.Uvarint(status[1:])
	if State(status[0]) > Scheduled {
		return journal.ErrRecord
	}
	e.restate(m, State(status[0]))
	m.count, m.restated = uint32(n), true
	return nil
}
