package account

import (
	"fmt"
	"hash/maphash"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
)

// tally is a set of keys and values as a count and a sum of hashes: a store may have more terms than fit into memory.
type tally struct {
	seed  maphash.Seed
	count int
	sum   uint64
}

func (t *tally) add(key, value []byte) {
	var h maphash.Hash
	h.SetSeed(t.seed)
	_, _ = h.Write(key) // a hash never fails
	_ = h.WriteByte(0xFF)
	_, _ = h.Write(value)
	t.count++
	t.sum += h.Sum64()
}

// addTerms counts what a document's terms should be.
func (c *Container) addTerms(t *tally, r *document.Record) error {
	if err := c.policy.Load().Index(r); err != nil || r.Terms == nil {
		return err
	}
	at, err := c.place(r)
	if err != nil {
		return err
	}
	if r.Terms.FormID, err = c.forms.id(r.Terms, nil); err != nil {
		return err
	}
	r.Terms.EachTerm(c.Number, r.Number, at, t.add)
	return nil
}

// checkTerms tells whether the terms that are stored are those of the documents. While the index is built some are missing.
func (c *Container) checkTerms(v *store.View, expected *tally) error {
	s, found, err := document.LoadIndexState(v, c.Number)
	if err != nil || found && s.At < s.Goal {
		return err
	}
	stored := &tally{seed: expected.seed}
	for _, kind := range []byte{document.KindTerm, document.KindForm, document.KindComposite} {
		err := v.Scan(document.Key(c.Number, kind), nil, func(k, value []byte) (bool, error) {
			stored.add(k, value)
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	if *stored != *expected {
		return fmt.Errorf("%w: %d terms are stored, the documents have %d, or others", errInvariant, stored.count, expected.count)
	}
	return nil
}
