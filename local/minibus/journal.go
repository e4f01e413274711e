package minibus

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// journal makes the broker's changes durable. Changes are collected in a batch under broker.mu, so that a batch always
// holds whole operations; whoever needs one to be durable commits the batch, together with all changes that others have
// made meanwhile, in one synced write. Without a store (Options.Dir is empty) everything is durable at once.
type journal struct {
	db *pebble.DB // nil: in memory

	batch    *pebble.Batch // guarded by broker.mu
	appended atomic.Uint64 // position of the last change; written under broker.mu

	mu         sync.Mutex // guards the fields below; taken after broker.mu, which is not taken under it
	turn       *sync.Cond // a commit has ended
	committing bool
	durable    uint64
	failed     error // the first failure is final: what memory holds and the disk does not must not be told to anybody
}

func openJournal(dir string, fs vfs.FS) (*journal, error) {
	j := &journal{}
	j.turn = sync.NewCond(&j.mu)
	if dir == "" {
		return j, nil
	}
	db, err := pebble.Open(dir, &pebble.Options{
		FS: fs, Logger: quiet{}, FormatMajorVersion: pebble.FormatNewest,
		MemTableSize: 16 << 20, CacheSize: 8 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("open broker store %s: %w", dir, err)
	}
	j.db = db
	j.batch = db.NewBatch()
	return j, nil
}

// quiet is pebble's logger: its chatter is of no interest, its failures come back as errors.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf is called when the store cannot go on. Nothing has been acknowledged that is not on disk.
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf("broker store: "+format, args...)) }

// set and delete add a change. The caller holds broker.mu.
func (j *journal) set(key, value []byte) {
	if j.db != nil {
		j.must(j.batch.Set(key, value, nil))
	}
}

func (j *journal) delete(key []byte) {
	if j.db != nil {
		j.must(j.batch.Delete(key, nil))
	}
}

// deleteAll removes all keys that begin with a prefix. The caller holds broker.mu.
func (j *journal) deleteAll(prefix []byte) {
	if j.db != nil {
		j.must(j.batch.DeleteRange(prefix, after(prefix), nil))
	}
}

// each reads all keys of a kind, with the path of their entity, in the order of the paths' lengths.
func (j *journal) each(kind byte, use func(path string, value []byte) error) (err error) {
	it, err := j.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return fmt.Errorf("read broker store: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; valid = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if len(it.Key()) < 3 {
			return errRecord
		}
		if err := use(string(it.Key()[3:]), value); err != nil {
			return err
		}
	}
	return it.Error()
}

// must: adding to a batch fails only when the batch is used after its commit.
func (j *journal) must(err error) {
	if err != nil {
		panic(err)
	}
	j.appended.Add(1)
}

func (j *journal) position() uint64 { return j.appended.Load() }

// synced is up to where everything is in the store.
func (j *journal) synced() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable
}

// sync returns when everything up to a position is durable. take hands over the batch, and done hears up to where the
// store has everything; both lock broker.mu. Of all callers that wait at the same time one commits for all.
func (j *journal) sync(position uint64, take func() (*pebble.Batch, uint64), done func(upTo uint64)) error {
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
		err := errors.Join(batch.Commit(pebble.Sync), batch.Close())
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

// fail makes everything that waits, or will, fail.
func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed = cmp.Or(j.failed, err)
}

// take starts a new batch. The caller holds broker.mu.
func (j *journal) take() (*pebble.Batch, uint64) {
	b := j.batch
	j.batch = j.db.NewBatch()
	return b, j.appended.Load()
}

func (j *journal) close() error {
	if j.db == nil {
		return nil
	}
	return errors.Join(j.batch.Close(), j.db.Close())
}

// Kinds of keys. A key is kind, entity path (with its length before it), rest.
const (
	kindChange   = 'a' // what a client has changed of an entity: see storechange.go
	kindMessage  = 'm' // + sequence number: the message as it was accepted
	kindStatus   = 's' // + sequence number: state and delivery count, once they differ from the message's
	kindSequence = 'q' // last sequence number
	kindSession  = 'e' // + session id: session state
	kindHistory  = 'h' // + message-id: duplicate detection
	kindTimes    = 'b' // when the entity was created and changed; without a path, the namespace
)

func key(kind byte, path string, rest int) []byte {
	k := make([]byte, 0, 3+len(path)+rest)
	k = binary.BigEndian.AppendUint16(append(k, kind), uint16(len(path)))
	return append(k, path...)
}

// after is the first key behind all that begin with a prefix, which has a byte that can grow: a path's last one.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func numberKey(kind byte, path string, n int64) []byte {
	return binary.BigEndian.AppendUint64(key(kind, path, 8), uint64(n))
}

func nameKey(kind byte, path, name string) []byte {
	return append(key(kind, path, len(name)), name...)
}
