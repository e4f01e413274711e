package account

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/disk"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
)

// Account is an account that is open: everything that is stored, and what may be done with it. It is safe for
// concurrent use.
type Account struct {
	// Serverless: nothing has a throughput. It is set before the first use.
	Serverless bool

	catalog
	log    *slog.Logger
	ranges int // of a new container
	store  *store.Store

	epoch   uint32        // of this start of the store; with version it makes ETags unique
	version atomic.Uint64 // versions given out since the start

	stop       chan struct{}  // closed by Close
	background sync.WaitGroup // the purger, and what builds indexes

	running sync.RWMutex // held shared by whatever uses the store; Close takes it last
	ended   bool         // owned by running
}

// Open opens the store, as store.Open does. Containers that are created from now on have that number of
// physical ranges. It starts the purger, which ends with Close.
func Open(o disk.Options, ranges int) (*Account, error) {
	st, err := store.Open(o)
	if err != nil {
		return nil, err
	}
	a := &Account{log: o.Log, ranges: ranges, store: st, stop: make(chan struct{})}
	if err := a.load(); err != nil {
		close(a.stop)
		a.background.Wait()
		return nil, errors.Join(err, st.Close())
	}
	a.background.Add(1)
	go a.purger()
	return a, nil
}

// Hurry has nobody wait for room on a full disk from now on: the account is about to be closed.
func (a *Account) Hurry() { a.store.Hurry() }

// Close waits for whoever is inside, and closes the store.
func (a *Account) Close() error {
	close(a.stop)
	a.Hurry()
	a.running.Lock()
	defer a.running.Unlock()
	a.ended = true
	a.background.Wait() // now that nobody is inside who could begin an index
	return a.store.Close()
}

// Enter keeps the store open until Leave; on a closed account it returns false.
func (a *Account) Enter() bool {
	a.running.RLock()
	if a.ended {
		a.running.RUnlock()
		return false
	}
	return true
}

// Leave ends what Enter began.
func (a *Account) Leave() { a.running.RUnlock() }

// Acquire returns the newest state; the caller releases it.
func (a *Account) Acquire() *store.View { return a.store.Acquire() }

// AcquirePast returns the state that was the newest a time ago, or the oldest that is kept; nil if that is the newest.
func (a *Account) AcquirePast(ago time.Duration) *store.View { return a.store.AcquirePast(ago) }

// Remember keeps past states for a time, 0 for none.
func (a *Account) Remember(keep time.Duration) { a.store.Remember(keep) }

// Busy tells whether the store is still putting away what it was given. It is for measurements.
func (a *Account) Busy() bool { return a.store.Busy() }

func now() int64 { return time.Now().Unix() }

// load reads the catalog and begins a new epoch of ETags.
func (a *Account) load() (err error) {
	v := a.store.Acquire()
	defer func() { err = errors.Join(err, v.Release()) }()
	foreign, err := a.foreign(v)
	if err != nil {
		return err
	}
	fresh, err := a.nextEpoch(v)
	if err != nil {
		return err
	}
	if err := a.catalog.load(v); err != nil {
		return err
	}
	if err := a.reviewIndexes(v, foreign); err != nil {
		return err
	}
	if fresh {
		// Numbers start somewhere else in every new store, so that a client that outlives
		// a store never takes a new database for an old one with the same name.
		var b [4]byte
		if _, err := rand.Read(b[:]); err != nil {
			return err
		}
		a.catalog.lastNumber = binary.BigEndian.Uint32(b[:]) >> 4
	}
	return nil
}

// storeFormat changes when a store of before cannot be read any more.
const storeFormat = 2

var errFormat = errors.New("the data was written by another version of this program: delete the folder, or use another")

func (a *Account) nextEpoch(v *store.View) (fresh bool, err error) {
	found, err := v.Get(document.Key(0, kindEpoch), func(b []byte) error {
		if len(b) != 5 || b[4] != storeFormat {
			return errFormat
		}
		a.epoch = binary.BigEndian.Uint32(b)
		return nil
	})
	if err != nil {
		return false, err
	}
	a.epoch++
	return !found, a.store.Commit(func(b *pebble.Batch) error {
		return b.Set(document.Key(0, kindEpoch), append(binary.BigEndian.AppendUint32(nil, a.epoch), storeFormat), nil)
	}, nil)
}

// foreign tells whether the last that opened the store was a version that keeps no terms, or one that crashed before it
// had done away with what that version has left.
func (a *Account) foreign(v *store.View) (bool, error) {
	var last, kept []byte
	_, err := v.Get(document.Key(0, kindEpoch), func(b []byte) error {
		last = bytes.Clone(b)
		return nil
	})
	_, bad := v.Get(document.Key(0, kindIndexed), func(b []byte) error {
		kept = bytes.Clone(b)
		return nil
	})
	return len(kept) != 4 || !bytes.HasPrefix(last, kept), errors.Join(err, bad)
}

// Documents returns the documents of a container as a client sees them, in order of
// creation, nil if there is no such container or the account is closed.
func (a *Account) Documents(database, container string) []json.RawMessage {
	if !a.Enter() {
		return nil
	}
	defer a.Leave()
	c, bad := a.catalog.Container(database, container)
	if bad != nil {
		return nil
	}
	v, now := a.store.Acquire(), now()
	var list []json.RawMessage
	err := v.Scan(document.Key(c.Number, document.KindDocument), nil, func(_, stored []byte) (bool, error) {
		r, err := document.Decode(stored)
		if err == nil && !r.Expired(now) {
			list = append(list, r.AppendJSON(nil, &c.Home))
		}
		return true, err
	})
	if err = errors.Join(err, v.Release()); err != nil {
		a.log.Error("list documents", "container", container, "error", err)
	}
	return list
}
