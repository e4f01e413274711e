package layout

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
)

// Physical is a physical range: a part of a container's key space with LSNs of its own. A split ends it and begins two
// that count on from where it ended, so that a change feed's or session's token of the parent holds for both.
type Physical struct {
	ID int // its place in Layout.All, and its name to clients
	partition.Range
	Parents []int // what it was split from, oldest first
	Gone    bool  // it was split

	LastLSN    *uint64        // given out; owned by Store.mu
	DurableLSN *atomic.Uint64 // visible
}

func newPhysical(id int, r partition.Range, parents []int) *Physical {
	return &Physical{ID: id, Range: r, Parents: parents, LastLSN: new(uint64), DurableLSN: new(atomic.Uint64)}
}

// Layout is a container's physical ranges at one time. It is immutable; a split makes the next one.
type Layout struct {
	All  []*Physical // by id, those that are gone too
	Live []*Physical // in order of the key space
}

// New is that of a new container.
func New(ranges []partition.Range) *Layout {
	l := &Layout{}
	for i, r := range ranges {
		l.All = append(l.All, newPhysical(i, r, nil))
	}
	return l.ordered()
}

func (l *Layout) ordered() *Layout {
	l.Live = nil
	for _, p := range l.All {
		if !p.Gone {
			l.Live = append(l.Live, p)
		}
	}
	slices.SortFunc(l.Live, func(a, b *Physical) int { return strings.Compare(a.Min, b.Min) })
	return l
}

// Of is the range that an effective partition key lies in.
func (l *Layout) Of(epk string) *Physical {
	i, found := slices.BinarySearchFunc(l.Live, epk, func(p *Physical, epk string) int { return strings.Compare(p.Min, epk) })
	if !found {
		i--
	}
	return l.Live[i]
}

// OfKey is the range that a partition key lies in.
func (l *Layout) OfKey(d *partition.Definition, pk partition.Key) *Physical {
	if len(l.Live) == 1 {
		return l.Live[0]
	}
	return l.Of(d.EPK(pk))
}

// OfRecord is the range that a document lies in now; the record names the one it was written to.
func (l *Layout) OfRecord(d *partition.Definition, r *document.Record) (*Physical, error) {
	if p := l.All[r.Range]; !p.Gone {
		return p, nil
	}
	pk, err := r.PartitionKey(d)
	if err != nil {
		return nil, err
	}
	return l.OfKey(d, pk), nil
}

// storedRange is a physical range as the store keeps it.
type storedRange struct {
	Min     string `json:"min"`
	Max     string `json:"max"`
	Parents []int  `json:"parents,omitempty"`
	Gone    bool   `json:"gone,omitempty"`
}

// Encode is the layout as it is stored.
func (l *Layout) Encode() []byte {
	list := make([]storedRange, len(l.All))
	for i, p := range l.All {
		list[i] = storedRange{p.Min, p.Max, p.Parents, p.Gone}
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return text
}

// Decode reads a stored layout. The LSNs stand elsewhere.
func Decode(text []byte) (*Layout, error) {
	var list []storedRange
	if err := json.Unmarshal(text, &list); err != nil || len(list) == 0 {
		return nil, errors.Join(document.ErrCorrupt, err)
	}
	l := &Layout{}
	for i, r := range list {
		p := newPhysical(i, partition.Range{Min: r.Min, Max: r.Max}, r.Parents)
		p.Gone = r.Gone
		l.All = append(l.All, p)
	}
	return l.ordered(), nil
}

// Split returns the layout in which a range has ended and two have begun.
func (l *Layout) Split(id int, low, high partition.Range) (next *Layout, children []*Physical) {
	next = &Layout{All: slices.Clone(l.All)}
	ended := *l.All[id]
	ended.Gone = true
	next.All[id] = &ended
	lineage := append(slices.Clone(ended.Parents), id)
	children = []*Physical{newPhysical(len(next.All), low, lineage), newPhysical(len(next.All)+1, high, lineage)}
	next.All = append(next.All, children...)
	return next.ordered(), children
}

// IDs are the live ranges'.
func (l *Layout) IDs() []int {
	list := make([]int, len(l.Live))
	for i, p := range l.Live {
		list[i] = p.ID
	}
	return list
}
