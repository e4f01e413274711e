package minicosmos

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// errInvariant is returned by check when what is stored contradicts itself.
var errInvariant = errors.New("invariant broken")

// check reads everything that is stored and tells whether it agrees: each document
// with its locator and index entries, each of those with a document, the counters with
// both.
func (a *account) check() (err error) {
	if !a.enter() {
		return errClosed
	}
	defer a.leave()
	v := a.store.acquire()
	defer func() { err = errors.Join(err, v.release()) }()
	for _, c := range a.allContainers() {
		if bad := c.check(v); bad != nil {
			err = errors.Join(err, fmt.Errorf("container %q: %w", c.name, bad))
		}
	}
	return err
}

func (c *container) check(v *view) error {
	expected := map[string]bool{} // side keys
	l := c.layout.Load()
	counters, err := readCounters(v, c.number)
	if err != nil {
		return err
	}
	err = v.scan(key(c.number, kindDocument), nil, func(k, stored []byte) (bool, error) {
		r, err := decodeRecord(stored)
		if err != nil {
			return false, err
		}
		if lastNumber(k) != r.number || int(r.rng)+1 >= len(counters) || r.number > counters[0] || r.lsn > counters[1+int(r.rng)] {
			return false, fmt.Errorf("%w: document %q has number %d and LSN %d, counters are %v", errInvariant, r.id, r.number, r.lsn, counters)
		}
		expected[string(locatorKey(c.number, r.pk, r.id))] = true
		expected[string(changeKey(c.number, r.rng, r.lsn, r.number))] = true
		for _, e := range r.unique {
			expected[string(uniqueKey(c.number, r.pk, e))] = true
		}
		return true, errors.Join(c.checkRecord(l, r), r.eachSideKey(c.number, func(k []byte) error {
			expected[string(k)] = true
			return nil
		}))
	})
	for _, kind := range []byte{kindLocator, kindExpiry, kindChange, kindUnique, kindIndex, kindKeyIndex} {
		err = errors.Join(err, v.scan(key(c.number, kind), nil, func(k, _ []byte) (bool, error) {
			if !expected[string(k)] {
				return false, fmt.Errorf("%w: key %x has no document", errInvariant, k)
			}
			delete(expected, string(k))
			return true, nil
		}))
	}
	if len(expected) > 0 {
		err = errors.Join(err, fmt.Errorf("%w: %d keys are missing", errInvariant, len(expected)))
	}
	return err
}

// checkRecord tells whether a record agrees with its own body.
func (c *container) checkRecord(l *layout, r *record) error {
	doc, err := sql.ParseJSON(r.body)
	if err != nil {
		return fmt.Errorf("%w: document %q: %w", errInvariant, r.id, err)
	}
	pk, err := c.pk.Extract(doc)
	if err != nil {
		return fmt.Errorf("%w: document %q: %w", errInvariant, r.id, err)
	}
	p, in := c.policy.Load(), l.ofKey(&c.pk, pk)
	switch id, _ := doc.Get("id").Str(); {
	case id != r.id, !bytes.Equal(pk.AppendStorage(nil), r.pk), in.id != int(r.rng) && !slices.Contains(in.parents, int(r.rng)):
		return fmt.Errorf("%w: document %q is filed under id %q", errInvariant, id, r.id)
	case !slices.EqualFunc(p.entries(doc), r.entries, bytes.Equal), !slices.EqualFunc(p.uniqueEntries(doc), r.unique, bytes.Equal), p.expiry(r.modified, r.ttl) != r.expiry:
		return fmt.Errorf("%w: document %q has other index entries or another expiry", errInvariant, id)
	}
	return nil
}
