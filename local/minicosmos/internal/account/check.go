package account

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// errInvariant is returned by check when what is stored contradicts itself.
var errInvariant = errors.New("invariant broken")

// Check reads everything that is stored and tells whether it agrees: each document
// with its locator and index entries, each of those with a document, the counters with
// both.
func (a *Account) Check() (err error) {
	if !a.Enter() {
		return refusal.Closed
	}
	defer a.Leave()
	v := a.store.Acquire()
	defer func() { err = errors.Join(err, v.Release()) }()
	for _, c := range a.allContainers() {
		if bad := c.check(v); bad != nil {
			err = errors.Join(err, fmt.Errorf("container %q: %w", c.name, bad))
		}
	}
	return err
}

func (c *Container) check(v *store.View) error {
	expected := map[string]bool{} // side keys
	terms := &tally{seed: c.seed}
	l := c.layout.Load()
	counters, err := Counters(v, c.Number)
	if err != nil {
		return err
	}
	err = v.Scan(document.Key(c.Number, document.KindDocument), nil, func(k, stored []byte) (bool, error) {
		r, err := document.Decode(stored)
		if err != nil {
			return false, err
		}
		if document.LastNumber(k) != r.Number || int(r.Range)+1 >= len(counters) || r.Number > counters[0] || r.LSN > counters[1+int(r.Range)] {
			return false, fmt.Errorf("%w: document %q has number %d and LSN %d, counters are %v", errInvariant, r.ID, r.Number, r.LSN, counters)
		}
		expected[string(document.LocatorKey(c.Number, r.PK, r.ID))] = true
		expected[string(document.ChangeKey(c.Number, r.Range, r.LSN, r.Number))] = true
		for _, e := range r.Unique {
			expected[string(document.UniqueKey(c.Number, r.PK, e))] = true
		}
		return true, errors.Join(c.checkRecord(l, r), c.addTerms(terms, r), r.EachSideKey(c.Number, func(k []byte) error {
			expected[string(k)] = true
			return nil
		}))
	})
	for _, kind := range []byte{document.KindLocator, document.KindExpiry, document.KindChange, document.KindUnique, document.KindIndex, document.KindKeyIndex} {
		err = errors.Join(err, v.Scan(document.Key(c.Number, kind), nil, func(k, _ []byte) (bool, error) {
			if !expected[string(k)] {
				return false, fmt.Errorf("%w: key %x has no document", errInvariant, k)
			}
			delete(expected, string(k))
			return true, nil
		}))
	}
	err = errors.Join(err, c.checkTerms(v, terms))
	if len(expected) > 0 {
		err = errors.Join(err, fmt.Errorf("%w: %d keys are missing", errInvariant, len(expected)))
	}
	return err
}

// checkRecord tells whether a record agrees with its own body.
func (c *Container) checkRecord(l *layout.Layout, r *document.Record) error {
	doc, err := sql.ParseJSON(r.Body)
	if err != nil {
		return fmt.Errorf("%w: document %q: %w", errInvariant, r.ID, err)
	}
	pk, err := c.PK.Extract(doc)
	if err != nil {
		return fmt.Errorf("%w: document %q: %w", errInvariant, r.ID, err)
	}
	p, in := c.policy.Load(), l.OfKey(&c.PK, pk)
	switch id, _ := doc.Get("id").Str(); {
	case id != r.ID, !bytes.Equal(pk.AppendStorage(nil), r.PK), in.ID != int(r.Range) && !slices.Contains(in.Parents, int(r.Range)):
		return fmt.Errorf("%w: document %q is filed under id %q", errInvariant, id, r.ID)
	case !slices.EqualFunc(p.Entries(doc), r.Entries, bytes.Equal), !slices.EqualFunc(p.UniqueEntries(doc), r.Unique, bytes.Equal), p.Expiry(r.Modified, r.TTL) != r.Expiry:
		return fmt.Errorf("%w: document %q has other index entries or another expiry", errInvariant, id)
	}
	return nil
}
