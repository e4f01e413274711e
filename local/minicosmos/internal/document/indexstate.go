package document

import (
	"encoding/binary"
	"errors"
	"hash/fnv"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// IndexState is what is stored of a container's terms: of which policy they are, and which documents have them. Those
// that are written from then on have them, too.
type IndexState struct {
	Print    uint64 // of the policy
	At, Goal uint64 // documents up to At have terms, those up to Goal are to get them
}

// Of tells whether entries are those of a policy: a view may be older than the newest.
func (s IndexState) Of(p *Policy) bool { return s.Print == p.print }

// Built tells whether every document has the terms of a policy.
func (s IndexState) Built(p *Policy) bool { return s.Of(p) && s.At >= s.Goal }

// FreshIndex is the state of an index that is to be built for documents up to a number.
func (p *Policy) FreshIndex(goal uint64) IndexState {
	if p.wild == nil {
		goal = 0
	}
	return IndexState{Print: p.print, Goal: goal}
}

// LoadIndexState reads it; there is none where no terms were ever stored.
func LoadIndexState(v *store.View, owner uint32) (s IndexState, found bool, err error) {
	found, err = v.Get(Key(owner, KindIndexState), func(b []byte) error {
		if len(b) != 24 {
			return ErrCorrupt
		}
		s = IndexState{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}
		return nil
	})
	return s, found, err
}

// Put stages the state.
func (s IndexState) Put(b *pebble.Batch, owner uint32) error {
	value := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, s.Print), s.At), s.Goal)
	return b.Set(Key(owner, KindIndexState), value, nil)
}

// DropTerms stages the removal of all terms of a container.
func DropTerms(b *pebble.Batch, owner uint32) error {
	err := b.Delete(Key(owner, KindIndexState), nil)
	for _, kind := range []byte{KindTerm, KindForm, KindFormPaths, KindComposite} {
		err = errors.Join(err, b.DeleteRange(Key(owner, kind), store.Successor(Key(owner, kind)), nil))
	}
	return err
}

// indexVersion changes when what is stored for an index policy does.
const indexVersion = 1

// printOf tells index policies apart: those with the same have the same terms.
func printOf(policy sql.Value) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write(policy.AppendJSON([]byte{indexVersion})) // a hash never fails
	return sum.Sum64()
}
