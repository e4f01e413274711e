package minicosmos

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
)

// physical is a physical range: a part of a container's key space with LSNs of its own. A split ends it and begins two
// that count on from where it ended, so that a change feed's or session's token of the parent holds for both.
type physical struct {
	id int // its place in layout.all, and its name to clients
	partition.Range
	parents []int // what it was split from, oldest first
	gone    bool  // it was split

	lastLSN    *uint64        // given out; owned by store.mu
	durableLSN *atomic.Uint64 // visible
}

func newPhysical(id int, r partition.Range, parents []int) *physical {
	return &physical{id: id, Range: r, parents: parents, lastLSN: new(uint64), durableLSN: new(atomic.Uint64)}
}

// layout is a container's physical ranges at one time. It is immutable; a split makes the next one.
type layout struct {
	all  []*physical // by id, those that are gone too
	live []*physical // in order of the key space
}

// newLayout is that of a new container.
func newLayout(ranges []partition.Range) *layout {
	l := &layout{}
	for i, r := range ranges {
		l.all = append(l.all, newPhysical(i, r, nil))
	}
	return l.ordered()
}

func (l *layout) ordered() *layout {
	l.live = nil
	for _, p := range l.all {
		if !p.gone {
			l.live = append(l.live, p)
		}
	}
	slices.SortFunc(l.live, func(a, b *physical) int { return strings.Compare(a.Min, b.Min) })
	return l
}

// of is the range that an effective partition key lies in.
func (l *layout) of(epk string) *physical {
	i, found := slices.BinarySearchFunc(l.live, epk, func(p *physical, epk string) int { return strings.Compare(p.Min, epk) })
	if !found {
		i--
	}
	return l.live[i]
}

// ofKey is the range that a partition key lies in.
func (l *layout) ofKey(d *partition.Definition, pk partition.Key) *physical {
	if len(l.live) == 1 {
		return l.live[0]
	}
	return l.of(d.EPK(pk))
}

// ofRecord is the range that a document lies in now; the record names the one it was written to.
func (l *layout) ofRecord(c *container, r *record) (*physical, error) {
	if p := l.all[r.rng]; !p.gone {
		return p, nil
	}
	pk, err := r.key(c)
	if err != nil {
		return nil, err
	}
	return l.ofKey(&c.pk, pk), nil
}

// storedRange is a physical range as the store keeps it.
type storedRange struct {
	Min     string `json:"min"`
	Max     string `json:"max"`
	Parents []int  `json:"parents,omitempty"`
	Gone    bool   `json:"gone,omitempty"`
}

func (l *layout) encode() []byte {
	list := make([]storedRange, len(l.all))
	for i, p := range l.all {
		list[i] = storedRange{p.Min, p.Max, p.parents, p.gone}
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return text
}

func decodeLayout(text []byte) (*layout, error) {
	var list []storedRange
	if err := json.Unmarshal(text, &list); err != nil || len(list) == 0 {
		return nil, errors.Join(errCorrupt, err)
	}
	l := &layout{}
	for i, r := range list {
		p := newPhysical(i, partition.Range{Min: r.Min, Max: r.Max}, r.Parents)
		p.gone = r.Gone
		l.all = append(l.all, p)
	}
	return l.ordered(), nil
}

// encodeCounters is what is stored of the counters; the caller holds store.mu.
func (c *container) encodeCounters(l *layout) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8*(1+len(l.all))), c.lastNumber)
	for _, p := range l.all {
		b = binary.BigEndian.AppendUint64(b, *p.lastLSN)
	}
	return b
}

// loadCounters reads them back when the store is opened.
func (c *container) loadCounters(v *view) error {
	counters, err := v.counters(c.number)
	l := c.layout.Load()
	if err != nil || len(counters) == 0 {
		return err
	}
	if len(counters) != 1+len(l.all) {
		return errCorrupt
	}
	c.lastNumber = counters[0]
	for i, p := range l.all {
		*p.lastLSN = counters[1+i]
		p.durableLSN.Store(counters[1+i])
	}
	return nil
}

// counters reads a container's counters in this view: the last document number, then an LSN per range.
func (v *view) counters(owner uint32) (list []uint64, err error) {
	_, err = v.get(key(owner, kindNumbers), func(b []byte) error {
		if len(b) < 16 || len(b)%8 != 0 {
			return errCorrupt
		}
		for ; len(b) > 0; b = b[8:] {
			list = append(list, binary.BigEndian.Uint64(b))
		}
		return nil
	})
	return list, err
}

// ErrSplit: a range cannot be split.
var ErrSplit = errors.New("split")

// Split divides a physical range of a container into two, as the service does when it grows. Whoever addresses the
// range by its id is told that it is gone (410, substatus 1002) and finds its children in the feed of ranges.
func (s *Server) Split(database, container string, id int) error {
	if !s.enter() {
		return errClosed
	}
	defer s.leave()
	c, bad := s.catalog.container(database, container)
	if bad != nil {
		return fmt.Errorf("%w: container %s/%s: %w", ErrSplit, database, container, bad)
	}
	return s.split(c, id)
}

func (s *Server) split(c *container, id int) error {
	c.gate.Lock()
	defer c.gate.Unlock()
	last := c.layout.Load()
	switch {
	case c.dropped:
		return errNotFound
	case id < 0 || id >= len(last.all) || last.all[id].gone:
		return fmt.Errorf("%w: container %s has no range %d: use one of %v", ErrSplit, c.name, id, last.ids())
	case len(last.all)+2 > maxLayout:
		return fmt.Errorf("%w: container %s has had %d ranges, that is the limit", ErrSplit, c.name, maxLayout)
	}
	old := last.all[id]
	low, high, ok := c.pk.Halve(old.Range)
	if !ok {
		return fmt.Errorf("%w: range %d of container %s has nothing in its middle", ErrSplit, id, c.name)
	}
	next := &layout{all: slices.Clone(last.all)}
	ended := *old
	ended.gone = true
	next.all[id] = &ended
	lineage := append(slices.Clone(old.parents), id)
	children := []*physical{newPhysical(len(next.all), low, lineage), newPhysical(len(next.all)+1, high, lineage)}
	next.all = append(next.all, children...)
	next.ordered()
	return s.store.commit(func(b *pebble.Batch) error {
		for _, child := range children { // no writer is under way
			*child.lastLSN = *old.lastLSN
			child.durableLSN.Store(*old.lastLSN)
		}
		return errors.Join(b.Set(numberedKey(0, kindContainer, c.number), c.encode(*c.properties.Load(), next), nil),
			b.Set(key(c.number, kindNumbers), c.encodeCounters(next), nil))
	}, func() { c.layout.Store(next) })
}

func (l *layout) ids() []int {
	list := make([]int, len(l.live))
	for i, p := range l.live {
		list[i] = p.id
	}
	return list
}

// key is the record's partition key.
func (r *record) key(c *container) (partition.Key, error) {
	doc, err := r.parse()
	if err != nil {
		return nil, err
	}
	return c.pk.Extract(doc)
}

// validEPK tells whether a client's bound of a key range is one: upper-case hexadecimal digits, or nothing.
func validEPK(s string) bool {
	_, err := hex.DecodeString(s)
	return (err == nil || s == partition.MaxEPK) && s == strings.ToUpper(s)
}
