package minicosmos

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// How often the purger looks and how many documents it takes away at once. Purging
// only frees space: an expired document is invisible from the second it expires.
const (
	purgeEvery = 30 * time.Second
	purgeBatch = 256
)

// purger takes expired documents away until stop is closed. openAccount starts it, close ends it.
func (a *account) purger() {
	defer a.background.Done()
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-a.stop:
			return
		case now := <-tick.C:
			for _, c := range a.allContainers() {
				if err := a.purge(c, now.Unix()); err != nil {
					a.log.Error("purge expired documents", "container", c.name, "error", err)
				}
			}
		}
	}
}

// purge takes away what expired in one container by that time.
func (a *account) purge(c *container, now int64) error {
	for {
		expired, err := a.expired(c, now)
		if err != nil {
			return err
		}
		for _, r := range expired {
			if err := a.purgeOne(c, r, now); err != nil {
				return err
			}
		}
		if len(expired) < purgeBatch {
			return nil
		}
	}
}

// expired lists the first documents that have expired.
func (a *account) expired(c *container, now int64) (list []*record, err error) {
	v := a.store.acquire()
	defer func() { err = errors.Join(err, v.release()) }()
	prefix := key(c.number, kindExpiry)
	err = v.scan(prefix, nil, func(k, _ []byte) (bool, error) {
		if at := int64(binary.BigEndian.Uint64(k[len(prefix):])); at > now {
			return false, nil
		}
		r, err := loadRecord(v, c.number, lastNumber(k))
		if err == nil && r != nil {
			list = append(list, r)
		}
		return len(list) < purgeBatch, err
	})
	return list, err
}

// purgeOne takes one document away unless a writer was faster.
func (a *account) purgeOne(c *container, seen *record, now int64) error {
	unlock := c.lock(seen.pk)
	defer unlock()
	if c.dropped {
		return nil
	}
	v := a.store.acquire()
	r, err := loadRecord(v, c.number, seen.number)
	if err = errors.Join(err, v.release()); err != nil || r == nil || !r.expired(now) {
		return err
	}
	return a.store.commit(func(b *pebble.Batch) error { return removeRecord(b, c.number, r) }, nil)
}
