package minicosmos

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

var errTTL = errors.New("must be -1 or a positive number of seconds")

// parseTTL reads a time to live as documents and containers spell it.
func parseTTL(v sql.Value) (int32, error) {
	n, ok := v.Number()
	if !ok || n != math.Trunc(n) || n == 0 || n < -1 || n > math.MaxInt32 {
		return 0, errTTL
	}
	return int32(n), nil
}

// documentTTL reads a document's own ttl, 0 for none.
func documentTTL(doc sql.Value) (int32, error) {
	ttl := doc.Get("ttl")
	if ttl.Kind() <= sql.Null {
		return 0, nil
	}
	return parseTTL(ttl)
}

// How often the purger looks and how many documents it takes away at once. Purging
// only frees space: an expired document is invisible from the second it expires.
const (
	purgeEvery = 30 * time.Second
	purgeBatch = 256
)

// purger takes expired documents away until stop is closed. Open starts it, Close ends it.
func (s *Server) purger() {
	defer s.background.Done()
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			for _, c := range s.catalog.allContainers() {
				if err := s.purge(c, now.Unix()); err != nil {
					s.log.Error("purge expired documents", "container", c.name, "error", err)
				}
			}
		}
	}
}

// purge takes away what expired in one container by that time.
func (s *Server) purge(c *container, now int64) error {
	for {
		expired, err := s.expired(c, now)
		if err != nil {
			return err
		}
		for _, r := range expired {
			if err := s.purgeOne(c, r, now); err != nil {
				return err
			}
		}
		if len(expired) < purgeBatch {
			return nil
		}
	}
}

// expired lists the first documents that have expired.
func (s *Server) expired(c *container, now int64) (list []*record, err error) {
	v := s.store.acquire()
	defer func() { err = errors.Join(err, v.release()) }()
	prefix := key(c.number, kindExpiry)
	err = v.scan(prefix, nil, func(k, _ []byte) (bool, error) {
		if at := int64(binary.BigEndian.Uint64(k[len(prefix):])); at > now {
			return false, nil
		}
		r, err := v.document(c.number, lastNumber(k))
		if err == nil && r != nil {
			list = append(list, r)
		}
		return len(list) < purgeBatch, err
	})
	return list, err
}

// purgeOne takes one document away unless a writer was faster.
func (s *Server) purgeOne(c *container, seen *record, now int64) error {
	unlock := c.lock(seen.pk)
	defer unlock()
	if c.dropped {
		return nil
	}
	v := s.store.acquire()
	r, err := v.document(c.number, seen.number)
	if err = errors.Join(err, v.release()); err != nil || r == nil || !r.expired(now) {
		return err
	}
	return s.store.commit(func(b *pebble.Batch) error { return removeRecord(b, c, r) }, nil)
}
