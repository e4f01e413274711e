package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relaybox/relaybox/local/minibus/internal/journal"
)

// restore rebuilds the entities from the store. Locks are gone: what was locked can be received again, its count as it was.
// progress hears, if that takes long, how many messages have been read.
func (b *Broker) restore(progress func(messages int)) error {
	if !b.journal.OnDisk() {
		return nil
	}
	l := &loader{b: b, orphans: map[string]int{}}
	defer l.report(progress)()
	// Kinds are in the order of their letters: times, session states, history, messages, sequence numbers, statuses.
	if err := l.each(nil, []byte{journal.KindMessage}); err != nil {
		return err
	}
	if err := l.messages(); err != nil {
		return err
	}
	if err := l.each([]byte{journal.KindMessage + 1}, nil); err != nil {
		return err
	}
	for path, n := range l.orphans {
		b.log.Warn("the configuration has no such entity any more; its data is kept", "entity", path, "records", n)
	}
	b.resume()
	return nil
}

// loader reads a store.
type loader struct {
	b       *Broker
	orphans map[string]int // records of what is no entity, by path
	read    atomic.Int64   // messages
}

// reportEvery is how often somebody who waits for a start hears of it.
const reportEvery = time.Second

// report tells what has been read until stop is called.
func (l *loader) report(progress func(messages int)) (stop func()) {
	if progress == nil {
		return func() {}
	}
	end, ticker := make(chan struct{}), time.NewTicker(reportEvery)
	var told sync.WaitGroup
	told.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-ticker.C:
				progress(int(l.read.Load()))
			}
		}
	})
	return func() {
		ticker.Stop()
		close(end)
		told.Wait()
	}
}

// each reads what is no message between two keys.
func (l *loader) each(from, to []byte) (err error) {
	it, err := l.b.journal.Walk(from, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; valid = it.Next() {
		if err := l.b.restoreOne(it, l.orphans); err != nil {
			return unreadable(it.Key(), err)
		}
	}
	return it.Error()
}

func unreadable(key []byte, why error) error { return fmt.Errorf("broker store, key %q: %w", key, why) }

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
		e.bytes += len(s.state)
	case journal.KindHistory:
		until, w := binary.Varint(v)
		if w <= 0 {
			return journal.ErrRecord
		}
		e.history.order = append(e.history.order, remembered{string(rest), until})
	case journal.KindSequence:
		e.last, _ = binary.Varint(v)
	case journal.KindStatus:
		return e.restoreStatus(rest, v)
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
