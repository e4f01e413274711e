package broker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/journal"
)

// Contents of messages take most of a broker's memory. With a store, those of a long backlog are left to it: as soon as
// Broker.maxWarm bytes are in memory, the content of a message that comes goes once it is on disk, and is read for each
// delivery. The oldest stay, which are wanted first; in a short backlog nothing is ever read.

// never is the position of a record that is gone.
const never = math.MaxUint64

// cool notes where a message's record is, and lets the content go after the next commit if there is too much in memory.
func (b *Broker) cool(m *message) {
	m.stored = b.journal.Position()
	if b.warm > b.maxWarm {
		b.cooling = append(b.cooling, m)
	}
}

// chill drops contents whose records the store has. What has been written again since then stays for the next time.
func (b *Broker) chill(upTo uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.cooling[:0]
	for _, m := range b.cooling {
		switch {
		case m.stored == never || m.kept == nil:
		case m.stored > upTo:
			left = append(left, m)
		default:
			m.kept = nil
			b.warm -= m.size
		}
	}
	clear(b.cooling[len(left):])
	b.cooling = left
}

// content is what the message says. A content that is not in memory is read: its record is in the store, and stays
// there at least until mu is released, also if the message has just been removed.
func (m *message) content() *content.Content {
	if m.kept != nil {
		return m.kept
	}
	c, err := m.in.read(m.seq)
	if err != nil {
		// Nothing of what memory would tell now may get out: as when a commit fails.
		m.in.b.journal.Fail(fmt.Errorf("read message %d of %s: %w", m.seq, m.in.Path, err))
		return &content.Content{Size: m.size}
	}
	return c
}

// What is read with one message that is handed out: those behind it are wanted next.
const (
	aheadMessages = 128
	aheadBytes    = 1 << 20
)

// readAhead brings the content of a message, and of those behind it, back into memory: in one walk, which costs less than
// to look for each. A failure is content's to report.
func (e *Entity) readAhead(m *message) {
	if m.kept != nil {
		return
	}
	it, err := e.b.journal.Walk(journal.NumberKey(journal.KindMessage, e.Key, m.seq), journal.After(journal.Key(journal.KindMessage, e.Key, 0)))
	if err != nil {
		return
	}
	left := aheadBytes
	for n, valid := 0, it.First(); valid && n < aheadMessages && left > 0; n, valid = n+1, it.Next() {
		k := it.Key()
		next := e.log.get(int64(binary.BigEndian.Uint64(k[len(k)-8:])))
		if next == nil || next.kept != nil {
			continue // removed, or written again: memory knows better
		}
		record, err := it.ValueAndErr()
		if err != nil {
			break
		}
		read, err := decodeRecord(bytes.Clone(record))
		if err != nil {
			break
		}
		next.kept = read.kept
		e.b.warm += next.size
		left -= next.size
	}
	_ = it.Close() // its error is the read's, or of no consequence
}

// rest lets the content of a message go that has been handed out, if there is too much in memory: it is wanted again only
// if it comes back.
func (e *Entity) rest(m *message) {
	if e.b.journal.OnDisk() && e.b.warm > e.b.maxWarm && m.kept != nil && m.stored <= e.b.journal.Synced() {
		m.kept = nil
		e.b.warm -= m.size
	}
}

func (e *Entity) read(seq int64) (*content.Content, error) {
	record, err := e.b.journal.Get(journal.NumberKey(journal.KindMessage, e.Key, seq))
	if err != nil {
		return nil, err
	}
	m, err := decodeRecord(record)
	if err != nil {
		return nil, err
	}
	return m.kept, nil
}
