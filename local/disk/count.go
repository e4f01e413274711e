package disk

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// A store counts its changes, so that a part that is missing is missed: a log that ends too early, or a table that the manifest
// has forgotten. Logs become tables of their own at first, and each has the numbers of its changes in it. They are written
// with the batches, of which the first in a log was given the number of the log before: nobody knows beforehand that it
// won't fit. So every other batch has a key of its own, and the one before a log's last is in the log that is meant.

// span is the numbers of a log's changes, as its last batch knows them, or the one before.
type span struct {
	first, last uint64
	before      uint64 // last of the batch before: below first if there is none in this log
}

// End is behind every key of a stand-in: a store's own follow.
const End = "\xff\xff\xff\xff"

// spanPrefix is what the keys of spans begin with. The number of the log follows, and one
// byte for every other batch.
var spanPrefix = []byte(End + "changes")

const spanKeyBytes, spanBytes = 11 + 8 + 1, 3 * 8

func spanKey(log uint64, other byte) []byte {
	return append(binary.BigEndian.AppendUint64(bytes.Clone(spanPrefix), log), other)
}

func (s span) value() []byte {
	b := make([]byte, 0, spanBytes)
	for _, n := range []uint64{s.first, s.last, s.before} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func readSpan(b []byte) span {
	return span{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}
}

// counter numbers changes. It is owned by who commits.
type counter struct {
	changes uint64 // that were committed
	log     uint64 // the newest
	other   byte
	span    span // of log
}

// number has a batch say which changes it holds.
func (c *counter) number(b *pebble.Batch, log uint64, changes int) {
	if log != c.log {
		c.log, c.span = log, span{first: c.changes + 1}
	}
	c.span.before = c.changes
	c.changes += uint64(changes)
	c.span.last = c.changes
	c.other ^= 1
	_ = b.Set(spanKey(log, c.other), c.span.value(), nil) // it fails in a batch that was committed
}

// recount counts what is there from 1, as one log's.
func (db *DB) recount() error {
	b := db.NewBatch()
	if err := b.DeleteRange(spanPrefix, spanKey(^uint64(0), 2), nil); err != nil {
		return err
	}
	db.counter.log, db.counter.span = db.logs.Load(), span{first: 1}
	db.counter.span.before = 0
	return db.Commit(b, 0)
}

// count is what a store has.
type count struct {
	found uint64 // changes
	last  uint64 // number of the last one: more than found if some are missing
	log   uint64 // number of the last log
}

// add counts the changes of a log by what its last batch knows and, if it is there, the one before.
func (c *count) add(spans []span) {
	if len(spans) == 0 {
		return
	}
	is := slices.MaxFunc(spans, func(a, b span) int { return cmp.Compare(a.last, b.last) })
	known := func(s span) bool { return s.last == is.before }
	if is.before >= is.first && !slices.ContainsFunc(spans, known) {
		is.first = is.before + 1 // the batch before is gone, and nobody knows what with it
	}
	c.found += is.last - is.first + 1
	c.last = is.last
}

// countIn counts the changes of a store, and changes nothing in it. None are found in one of a version that did not count.
func countIn(o Options, lock *pebble.Lock) (c count, err error) {
	defer func() {
		if stopped, is := recover().(*fatal); is {
			err = stopped
		}
	}()
	db, err := pebble.Open(o.Dir, &pebble.Options{FS: o.FS, Lock: lock, ReadOnly: true, Logger: silent{}, EventListener: &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}})
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: spanPrefix})
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var spans []span // of the log that is read
	for valid := it.First(); valid; valid = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return c, err
		}
		key := it.Key()
		if len(key) != spanKeyBytes || len(value) != spanBytes {
			return c, fmt.Errorf("a count of changes is not one: %x: %x", key, value)
		}
		s, log := readSpan(value), binary.BigEndian.Uint64(key[len(spanPrefix):])
		if log != c.log {
			c.add(spans)
			spans = spans[:0]
		}
		c.log, spans = log, append(spans, s)
	}
	c.add(spans)
	return c, it.Error()
}

// silent is for who only looks.
type silent struct{}

func (silent) Infof(string, ...any)              {}
func (silent) Errorf(string, ...any)             {}
func (silent) Fatalf(format string, args ...any) { panic(&fatal{fmt.Sprintf(format, args...), args}) }
