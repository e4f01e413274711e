package account

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/disk"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
)

// How often the purger looks and how many documents it takes away at once. Purging
// only frees space: an expired document is invisible from the second it expires.
const (
	purgeEvery = 30 * time.Second
	purgeBatch = 256
)

// purger takes expired documents away until stop is closed. Open starts it, Close ends it.
func (a *Account) purger() {
	defer a.background.Done()
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-a.stop:
			return
		case now := <-tick.C:
			for _, c := range a.allContainers() {
				if err := a.Purge(c, now.Unix()); err != nil && !full(err) {
					a.log.Error("purge expired documents", "container", c.name, "error", err)
				}
			}
		}
	}
}

// full: the disk is, which the store has said.
func full(err error) bool { return errors.As(err, new(*disk.FullError)) }

// Purge takes away what expired in one container by that time.
func (a *Account) Purge(c *Container, now int64) (err error) {
	defer survive(&err)
	for {
		expired, err := a.Expired(c, now)
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

// Expired lists the first documents that have expired by that time and are not purged.
func (a *Account) Expired(c *Container, now int64) (list []*document.Record, err error) {
	v := a.store.Acquire()
	defer func() { err = errors.Join(err, v.Release()) }()
	prefix := document.Key(c.Number, document.KindExpiry)
	err = v.Scan(prefix, nil, func(k, _ []byte) (bool, error) {
		if at := int64(binary.BigEndian.Uint64(k[len(prefix):])); at > now {
			return false, nil
		}
		r, err := document.Load(v, c.Number, document.LastNumber(k))
		if err == nil && r != nil {
			list = append(list, r)
		}
		return len(list) < purgeBatch, err
	})
	return list, err
}

// purgeOne takes one document away unless a writer was faster.
func (a *Account) purgeOne(c *Container, seen *document.Record, now int64) error {
	stripe, unlock := c.lock(seen.PK)
	defer unlock()
	if c.dropped {
		return nil
	}
	v := a.store.Acquire()
	r, err := document.Load(v, c.Number, seen.Number)
	if err = errors.Join(err, v.Release()); err != nil || r == nil || !r.Expired(now) {
		return err
	}
	if err := a.storedTerms(c, r); err != nil {
		return err
	}
	stripe.forget(r.Number)
	return a.store.Commit(func(b *pebble.Batch) error {
		return errors.Join(document.Remove(b, c.Number, r), document.ReplaceTerms(b, c.Number, r.Number, document.Place{}, r.Terms, nil))
	}, nil)
}
