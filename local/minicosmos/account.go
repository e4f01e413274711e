package minicosmos

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// account is an account that is open: everything that is stored, and what may be done with it. It is safe for
// concurrent use.
type account struct {
	catalog
	log    *slog.Logger
	ranges int // of a new container
	store  *store

	epoch   uint32        // of this start of the store; with version it makes ETags unique
	version atomic.Uint64 // versions given out since the start

	stop       chan struct{}  // closed by close
	background sync.WaitGroup // the purger

	running sync.RWMutex // held shared by whatever uses the store; close takes it last
	ended   bool         // owned by running
}

// openAccount opens the store in dir, in memory for "". Containers that are created from now on have that number of
// physical ranges. It starts the purger, which ends with close.
func openAccount(dir string, ranges int, log *slog.Logger) (*account, error) {
	st, err := openStore(dir, log)
	if err != nil {
		return nil, err
	}
	a := &account{log: log, ranges: ranges, store: st, stop: make(chan struct{})}
	if err := a.load(); err != nil {
		return nil, errors.Join(err, st.close())
	}
	a.background.Add(1)
	go a.purger()
	return a, nil
}

// close waits for whoever is inside, and closes the store.
func (a *account) close() error {
	close(a.stop)
	a.background.Wait()
	a.running.Lock()
	defer a.running.Unlock()
	a.ended = true
	return a.store.close()
}

// enter keeps the store open until leave; on a closed server it returns false.
func (a *account) enter() bool {
	a.running.RLock()
	if a.ended {
		a.running.RUnlock()
		return false
	}
	return true
}

func (a *account) leave() { a.running.RUnlock() }

// acquire returns the newest state; the caller releases it.
func (a *account) acquire() *view { return a.store.acquire() }

// acquirePast returns the state that was the newest a time ago, or the oldest that is kept; nil if that is the newest.
func (a *account) acquirePast(ago time.Duration) *view { return a.store.acquirePast(ago) }

// remember keeps past states for a time, 0 for none.
func (a *account) remember(keep time.Duration) { a.store.remember(keep) }

// busy tells whether the store is still putting away what it was given. It is for measurements.
func (a *account) busy() bool { return a.store.busy() }

func now() int64 { return time.Now().Unix() }

// load reads the catalog and begins a new epoch of ETags.
func (a *account) load() (err error) {
	v := a.store.acquire()
	defer func() { err = errors.Join(err, v.release()) }()
	fresh, err := a.nextEpoch(v)
	if err != nil {
		return err
	}
	if err := a.catalog.load(v); err != nil {
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

func (a *account) nextEpoch(v *view) (fresh bool, err error) {
	found, err := v.get(key(0, kindEpoch), func(b []byte) error {
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
	return !found, a.store.commit(func(b *pebble.Batch) error {
		return b.Set(key(0, kindEpoch), append(binary.BigEndian.AppendUint32(nil, a.epoch), storeFormat), nil)
	}, nil)
}

// documents returns the documents of a container as a client sees them, in order of
// creation, nil if there is no such container or the account is closed.
func (a *account) documents(database, container string) []json.RawMessage {
	if !a.enter() {
		return nil
	}
	defer a.leave()
	c, bad := a.catalog.container(database, container)
	if bad != nil {
		return nil
	}
	v, now := a.store.acquire(), now()
	var list []json.RawMessage
	err := v.scan(key(c.number, kindDocument), nil, func(_, stored []byte) (bool, error) {
		r, err := decodeRecord(stored)
		if err == nil && !r.expired(now) {
			list = append(list, r.appendJSON(nil, &c.home))
		}
		return true, err
	})
	if err = errors.Join(err, v.release()); err != nil {
		a.log.Error("list documents", "container", container, "error", err)
	}
	return list
}
