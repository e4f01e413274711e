package query

import (
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
)

// set is numbers of documents in ascending order.
type set interface {
	// seek returns the least that is at least n.
	seek(n uint64) (least uint64, found bool, err error)
}

// everything is all documents; they are scanned.
type everything struct{}

func (everything) seek(n uint64) (uint64, bool, error) { return n, true, nil }

// list is a set that is known: sorted, each once.
type list []uint64

func (l list) seek(n uint64) (uint64, bool, error) {
	i, _ := slices.BinarySearch(l, n)
	if i == len(l) {
		return 0, false, nil
	}
	return l[i], true, nil
}

func (l list) has(n uint64) bool {
	_, found := slices.BinarySearch(l, n)
	return found
}

// newList sorts numbers.
func newList(numbers []uint64) list {
	if numbers == nil {
		return list{}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// shared are the numbers that are in both lists.
func shared(a, b list) list {
	if len(a) > len(b) {
		a, b = b, a
	}
	both := list{}
	for _, n := range a {
		if b.has(n) {
			both = append(both, n)
		}
	}
	return both
}

// stream is the rows of one entry: they are in order of number.
type stream struct {
	it      *pebble.Iterator
	prefix  []byte // of the keys, before the number
	outside func(value []byte) bool
	key     []byte
	asked   uint64 // what was sought last
	ended   bool   // from there on is nothing
}

func (s *stream) seek(n uint64) (uint64, bool, error) {
	if n >= s.asked && s.ended {
		return 0, false, nil
	}
	if n >= s.asked && s.it.Valid() { // a union asks all of its sets for each next number
		if at := document.LastNumber(s.it.Key()); at >= n {
			return at, true, nil
		}
	}
	s.asked, s.ended = n, false
	s.key = binary.BigEndian.AppendUint64(append(s.key[:0], s.prefix...), n)
	for valid := s.it.SeekGE(s.key); valid; valid = s.it.Next() {
		value, err := s.it.ValueAndErr()
		if err != nil {
			return 0, false, err
		}
		if !s.outside(value) {
			return document.LastNumber(s.it.Key()), true, nil
		}
	}
	s.ended = true
	return 0, false, s.it.Error()
}

// union is the numbers that are in any of some sets.
type union []set

func (u union) seek(n uint64) (least uint64, found bool, err error) {
	for _, s := range u {
		next, ok, err := s.seek(n)
		if err != nil {
			return 0, false, err
		}
		if ok && (!found || next < least) {
			least, found = next, true
		}
	}
	return least, found, nil
}

// intersection is the numbers that are in all of some sets, of which there is one at least.
type intersection []set

func (x intersection) seek(n uint64) (uint64, bool, error) {
	for agreed := 0; ; {
		for _, s := range x {
			next, found, err := s.seek(n)
			if !found || err != nil {
				return 0, false, err
			}
			if next != n {
				n, agreed = next, 0
			}
			if agreed++; agreed >= len(x) {
				return n, true, nil
			}
		}
	}
}

// members are all numbers of a set.
func members(s set) (all []uint64, err error) {
	for n := uint64(0); ; n++ {
		next, found, err := s.seek(n)
		if !found || err != nil {
			return all, err
		}
		all, n = append(all, next), next
	}
}
