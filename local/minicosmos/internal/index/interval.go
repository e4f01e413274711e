package index

import (
	"bytes"
	"slices"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Interval is the entries from Low on, up to but without High (nil: to the end).
type Interval struct {
	Low, High []byte
	Point     bool // all of them are Low
}

// Intervals are the entries of a path, in the form that it has in entries, that hold what lies in some spans; in order, apart from each other.
func Intervals(path []byte, spans []sql.Span) []Interval {
	list := make([]Interval, len(spans))
	for i, s := range spans {
		list[i] = interval(path, s)
	}
	return Union(list, nil)
}

func interval(path []byte, s sql.Span) Interval {
	cut := cut(len(path))
	switch {
	case s.IsPoint():
		e := AppendEntry(nil, path, s.Low)
		return Interval{Low: e, High: After(e), Point: true}
	case s.Prefix:
		e := partition.AppendScalar(slices.Clone(path), s.Low)
		e = e[:min(len(e)-2, cut)] // without what ends a string
		return Interval{Low: e, High: After(e)}
	case s.Kind == sql.Undefined:
		return Interval{Low: path, High: After(path)}
	}
	low, high := kind(path, s.Kind)
	if s.Low.IsDefined() {
		e := partition.AppendScalar(slices.Clone(path), s.Low)
		switch {
		case len(e) > cut:
			low = e[:cut]
		case s.LowOpen:
			low = After(e)
		default:
			low = e
		}
	}
	if s.High.IsDefined() {
		e := partition.AppendScalar(slices.Clone(path), s.High)
		switch {
		case len(e) > cut:
			high = After(e[:cut])
		case s.HighOpen:
			high = e
		default:
			high = After(e)
		}
	}
	return Interval{Low: low, High: high}
}

// kind is where the values of a kind stand.
func kind(path []byte, k sql.Kind) (low, high []byte) {
	marks := map[sql.Kind][2]byte{sql.Null: {markNull, markBool}, sql.Bool: {markBool, markNumber}, sql.Number: {markNumber, markString},
		sql.String: {markString, markArray}, sql.Array: {markArray, markObject}, sql.Object: {markObject, markObject + 1}}[k]
	return append(slices.Clone(path), marks[0]), append(slices.Clone(path), marks[1])
}

// After is the first entry after all that begin with e, nil if there is none.
func After(e []byte) []byte {
	end := slices.Clone(e)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// ends compares where intervals end; nil is last.
func ends(a, b []byte) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return bytes.Compare(a, b)
}

// Union is the entries of two lists of intervals.
func Union(a, b []Interval) []Interval {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(a, b Interval) int { return bytes.Compare(a.Low, b.Low) })
	var list []Interval
	for _, next := range all {
		if next.High != nil && bytes.Compare(next.Low, next.High) >= 0 {
			continue
		}
		n := len(list) - 1
		if n < 0 || list[n].High != nil && bytes.Compare(next.Low, list[n].High) >= 0 {
			list = append(list, next)
			continue
		}
		if ends(next.High, list[n].High) > 0 {
			list[n].High, list[n].Point = next.High, false
		}
	}
	return list
}

// Intersection is the entries that two lists of intervals share, each list in order and apart.
func Intersection(a, b []Interval) (list []Interval) {
	for len(a) > 0 && len(b) > 0 {
		both := Interval{Low: a[0].Low, High: a[0].High, Point: a[0].Point || b[0].Point}
		if bytes.Compare(b[0].Low, both.Low) > 0 {
			both.Low = b[0].Low
		}
		if ends(b[0].High, both.High) < 0 {
			both.High = b[0].High
		}
		if both.High == nil || bytes.Compare(both.Low, both.High) < 0 {
			list = append(list, both)
		}
		if ends(a[0].High, b[0].High) < 0 {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return list
}
