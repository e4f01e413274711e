package minicosmos

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

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
func (l *layout) ofRecord(d *partition.Definition, r *record) (*physical, error) {
	if p := l.all[r.rng]; !p.gone {
		return p, nil
	}
	pk, err := r.key(d)
	if err != nil {
		return nil, err
	}
	return l.ofKey(d, pk), nil
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

// split returns the layout in which a range has ended and two have begun.
func (l *layout) split(id int, low, high partition.Range) (next *layout, children []*physical) {
	next = &layout{all: slices.Clone(l.all)}
	ended := *l.all[id]
	ended.gone = true
	next.all[id] = &ended
	lineage := append(slices.Clone(ended.parents), id)
	children = []*physical{newPhysical(len(next.all), low, lineage), newPhysical(len(next.all)+1, high, lineage)}
	next.all = append(next.all, children...)
	return next.ordered(), children
}

// ids are the live ranges'.
func (l *layout) ids() []int {
	list := make([]int, len(l.live))
	for i, p := range l.live {
		list[i] = p.id
	}
	return list
}
