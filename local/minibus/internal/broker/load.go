package broker

import (
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relaybox/relaybox/local/minibus/internal/journal"
)

// Messages are most of what a store holds: those of an entity are read by as many goroutines as there are processors, each a
// part of the numbers.

// shareAtLeast is how many numbers it takes for a goroutine to be worth it.
const shareAtLeast = 5000

// messages reads those of all entities.
func (l *loader) messages() (err error) {
	it, err := l.b.journal.Walk([]byte{journal.KindMessage}, []byte{journal.KindMessage + 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; {
		_, path, number, err := journal.SplitKey(it.Key())
		if err == nil && len(number) != 8 {
			err = journal.ErrRecord
		}
		if err != nil {
			return unreadable(it.Key(), err)
		}
		e := l.b.entities[string(path)]
		if e == nil {
			l.orphans[string(path)]++
			valid = it.Next()
			continue
		}
		first, end := int64(binary.BigEndian.Uint64(number)), journal.After(journal.Key(journal.KindMessage, e.Key, 0))
		it.SeekLT(end)
		if err := l.load(e, first, last(it.Key())); err != nil {
			return err
		}
		valid = it.SeekGE(end)
	}
	return it.Error()
}

// last is the number at the end of a message's key.
func last(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[len(key)-8:])) }

// load reads the messages of an entity from a number to another.
func (l *loader) load(e *Entity, from, to int64) error {
	n := min(int64(runtime.GOMAXPROCS(0)), (to-from)/shareAtLeast+1)
	size := (to-from)/n + 1
	parts, faults := make([][]loaded, n), make([]error, n)
	var reading sync.WaitGroup
	for i := range n {
		start := from + i*size
		reading.Go(func() { parts[i], faults[i] = l.share(e, start, min(start+size-1, to)) })
	}
	reading.Wait()
	if err := errors.Join(faults...); err != nil {
		return err
	}
	count := 0
	for _, part := range parts {
		count += len(part)
	}
	e.log.entries = make([]entry, 0, count)
	for _, part := range parts {
		for _, m := range part {
			e.restoreMessage(m)
		}
	}
	return nil
}

// loaded is a message that has been read.
type loaded struct {
	*message
	session string
}

// share decodes the messages of an entity from a number to another.
func (l *loader) share(e *Entity, from, to int64) (list []loaded, err error) {
	it, err := l.b.journal.Walk(journal.NumberKey(journal.KindMessage, e.Key, from), journal.NumberKey(journal.KindMessage, e.Key, to+1))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; valid = it.Next() {
		m, err := e.decode(it)
		if err != nil {
			return nil, unreadable(it.Key(), err)
		}
		list = append(list, m)
		l.read.Add(1)
	}
	return list, it.Error()
}

// decode reads what is wanted of a message until it is handed out: a million of them are not to be waited for.
func (e *Entity) decode(it *pebble.Iterator) (m loaded, err error) {
	record, err := it.ValueAndErr()
	if err != nil {
		return m, err
	}
	if !e.Settings.RequiresSession {
		m.message, _, err = decodeNumbers(record)
	} else if m.message, err = decodeRecord(record); err == nil {
		m.session = strings.Clone(m.kept.SessionID)
		m.kept = nil // it shares its bytes with the iterator
	}
	if err == nil {
		m.in, m.seq = e, last(it.Key())
	}
	return m, err
}

// restoreMessage makes a message that has been read part of its entity.
func (e *Entity) restoreMessage(m loaded) {
	e.log.add(m.message)
	e.bytes += m.size
	e.states[m.state]++
	if e.Settings.RequiresSession {
		m.message.session = e.sessionOf(m.session)
		m.message.session.messages++
	}
}
