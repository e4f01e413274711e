package journal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relaybox/relaybox/local/disk"
)

// Journal makes the changes of its owner durable.
type Journal struct {
	db *disk.DB // nil: in memory

	batch    *pebble.Batch // guarded by the owner's lock
	appended atomic.Uint64 // position of the last change; written under the owner's lock

	looked atomic.Int64 // when the disk was asked, in Unix nanoseconds; 0: it was full
	since  atomic.Int64 // bytes of values that have come after that

	mu         sync.Mutex // guards the fields below; taken after the owner's lock, which is not taken under it
	turn       *sync.Cond // a commit has ended
	committing bool
	durable    uint64
	failed     error // the first failure is final: what memory holds and the disk does not must not be told to anybody
}

// Open opens the store, as disk.Open does; without a directory there is none.
func Open(o disk.Options) (*Journal, error) {
	j := &Journal{}
	j.turn = sync.NewCond(&j.mu)
	if o.Dir == "" {
		return j, nil
	}
	o.MemTable = 16 << 20
	o.Tune = func(options *pebble.Options) { options.CacheSize = 8 << 20 }
	db, err := disk.Open(o)
	if err != nil {
		return nil, err
	}
	j.db = db
	j.batch = db.NewBatch()
	return j, nil
}

// ErrRecord: what the store holds is not what this version writes. The text names the key; keep the directory, and use
// the version that wrote it.
var ErrRecord = errors.New("record of the broker store cannot be read")

// Room is nil while there is room for so many bytes, beside what must be kept for what is there already, and a
// disk.FullError when not.
func (j *Journal) Room(n int) error {
	if j.db == nil {
		return nil
	}
	now := time.Now().UnixNano()
	if now-j.looked.Load() < int64(lookEvery) && j.since.Load()+int64(n) < lookBytes && !j.db.Waits() {
		return nil
	}
	if n < lookBytes {
		n = 0 // it has a place in what is kept free
	}
	if err := j.db.Room(2 * n); err != nil { // a place in a log and one in a table
		j.looked.Store(0)
		return err
	}
	j.looked.Store(now)
	j.since.Store(0)
	return nil
}

// What was seen of the disk is good for a time and for so many bytes: what is written meanwhile has a place in what is kept free.
const (
	lookEvery = 50 * time.Millisecond
	lookBytes = 256 << 10
)

// OnDisk says whether there is a store. Without one nothing can be read.
func (j *Journal) OnDisk() bool { return j.db != nil }

// Set notes a key's new value. The caller holds the owner's lock, and may use key and value again.
func (j *Journal) Set(key, value []byte) {
	if j.db != nil {
		j.since.Add(int64(len(value)))
		j.must(j.batch.Set(key, value, nil))
	}
}

// Delete notes that a key is gone. The caller holds the owner's lock.
func (j *Journal) Delete(key []byte) {
	if j.db != nil {
		j.must(j.batch.Delete(key, nil))
	}
}

// DeleteAll removes all keys that begin with a prefix. The caller holds the owner's lock.
func (j *Journal) DeleteAll(prefix []byte) {
	if j.db != nil {
		j.must(j.batch.DeleteRange(prefix, After(prefix), nil))
	}
}

// Each reads all keys of a kind, with the path of their entity, in the order of the paths' lengths.
func (j *Journal) Each(kind byte, use func(path string, value []byte) error) (err error) {
	it, err := j.Walk([]byte{kind}, []byte{kind + 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; valid = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if len(it.Key()) < 3 {
			return ErrRecord
		}
		if err := use(string(it.Key()[3:]), value); err != nil {
			return err
		}
	}
	return it.Error()
}

// Walk is an iterator over the keys from one up to, and without, another; nil is no bound. Close it.
func (j *Journal) Walk(from, to []byte) (*pebble.Iterator, error) {
	if to == nil {
		to = []byte(disk.End)
	}
	it, err := j.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, fmt.Errorf("read broker store: %w", err)
	}
	return it, nil
}

// Get reads what is in the store of a key. The value is the caller's.
func (j *Journal) Get(key []byte) ([]byte, error) {
	value, closer, err := j.db.Get(key)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(value), closer.Close()
}

// must: adding to a batch fails only when the batch is used after its commit.
func (j *Journal) must(err error) {
	if err != nil {
		panic(err)
	}
	j.appended.Add(1)
}

// Position is that of the last change.
func (j *Journal) Position() uint64 { return j.appended.Load() }

// Synced is up to where everything is in the store.
func (j *Journal) Synced() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable
}

// Sync returns when everything up to a position is durable. take hands over the batch, and done hears up to where the
// store has everything; both take the owner's lock. Of all callers that wait at the same time one commits for all.
func (j *Journal) Sync(position uint64, take func() (*pebble.Batch, uint64), done func(upTo uint64)) error {
	if j.db == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.durable < position && j.failed == nil {
		if j.committing {
			j.turn.Wait()
			continue
		}
		j.committing = true
		j.mu.Unlock()
		batch, upTo := take()
		err := j.db.Commit(batch, int(batch.Count()))
		if err == nil {
			done(upTo)
		}
		j.mu.Lock()
		j.committing = false
		if err != nil {
			j.failed = cmp.Or(j.failed, fmt.Errorf("commit %d changes: %w", upTo-j.durable, err))
		} else {
			j.durable = upTo
		}
		j.turn.Broadcast()
	}
	return j.failed
}

// Fail makes everything that waits, or will, fail.
func (j *Journal) Fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed = cmp.Or(j.failed, err)
}

// Take starts a new batch. The caller holds the owner's lock.
func (j *Journal) Take() (*pebble.Batch, uint64) {
	b := j.batch
	j.batch = j.db.NewBatch()
	return b, j.appended.Load()
}

// Hurry has nothing wait for room on a full disk from now on: the store is about to be closed.
func (j *Journal) Hurry() {
	if j.db != nil {
		j.db.Hurry()
	}
}

// Close drops what has not been made durable.
func (j *Journal) Close() error {
	if j.db == nil {
		return nil
	}
	return errors.Join(j.batch.Close(), j.db.Close())
}
