package query

import (
	"encoding/binary"
	"slices"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/index"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// compositeOrder chooses a composite index: of the keys, or of what WHERE pins and then the keys.
func (a *Access) compositeOrder() *order {
	if !a.built {
		return nil
	}
	for n, keys := range a.p.Composites() {
		for first := 0; first+len(a.sorting) <= len(keys); first++ {
			ok, backwards := index.Orders(keys[first:], a.sorting)
			if ok && len(a.sorting)+first > 1 {
				return &order{keys: document.Key(a.c.Number, document.KindComposite), backwards: backwards, composite: keys, number: n, first: first,
					ties: backwards == a.sorting[0].Descending}
			}
			if !a.filter.Pinned(keys[first].Path).IsDefined() {
				break
			}
		}
	}
	return nil
}

// compositeInterval is the rows of a composite index that WHERE and the cursor leave.
func (s *sorter) compositeInterval() index.Interval {
	prefix := []byte{byte(s.number)}
	exact := true
	in := index.Interval{Low: prefix, High: index.After(prefix)}
	for _, key := range s.composite {
		v := s.filter.Pinned(key.Path)
		if !v.IsDefined() {
			in = s.ranged(in, prefix, key)
			break
		}
		prefix, exact = index.AppendPart(prefix, v, key.Descending)
		if in = (index.Interval{Low: prefix, High: index.After(prefix)}); !exact {
			break
		}
	}
	from := s.Access.from
	if len(from.Keys) == 0 {
		return in
	}
	entry := []byte{byte(s.number)}
	for i, key := range s.composite {
		var v sql.Value
		if i < s.first {
			v = s.filter.Pinned(key.Path)
		} else {
			v = from.Keys[i-s.first]
		}
		if entry, exact = index.AppendPart(entry, v, key.Descending); !exact {
			break
		}
	}
	rest := index.Interval{Low: []byte{byte(s.number)}, High: index.After([]byte{byte(s.number)})}
	switch {
	case exact && s.ties && s.backwards:
		rest.High = binary.BigEndian.AppendUint64(entry, from.Number+1)
	case exact && s.ties:
		rest.Low = binary.BigEndian.AppendUint64(entry, from.Number)
	case s.backwards:
		rest.High = index.After(entry)
	default:
		rest.Low = entry
	}
	both := index.Intersection([]index.Interval{in}, []index.Interval{rest})
	if len(both) == 0 {
		return index.Interval{Low: in.Low, High: in.Low}
	}
	return both[0]
}

// ranged cuts the rows that begin with a prefix to those that WHERE leaves of the key behind it.
func (s *sorter) ranged(in index.Interval, prefix []byte, key sql.OrderPath) index.Interval {
	for _, c := range s.conditions {
		if !slices.Equal(c.path, key.Path) || len(c.intervals) == 0 {
			continue
		}
		size := index.PathSize
		if !c.terms {
			size = len(document.NamedPath(0))
		}
		low, high := c.intervals[0].Low, c.intervals[len(c.intervals)-1].High
		if len(high) <= size || string(high[:size]) != string(low[:size]) { // all of the path
			high = nil
		} else {
			high = high[size:]
		}
		return index.Part(in, prefix, low[size:], high, key.Descending)
	}
	return in
}
