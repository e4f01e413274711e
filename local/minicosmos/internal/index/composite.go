package index

import (
	"slices"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// partCut is what an entry of a composite index keeps of each of its values: less than entries of a path do.
const partCut = 48

// AppendPart appends a value to an entry of a composite index, undefined included; exact tells whether its order is kept.
func AppendPart(dst []byte, v sql.Value, descending bool) (entry []byte, exact bool) {
	start := len(dst)
	dst = appendValue(dst, v)
	if exact = v.Kind() < sql.Array && len(dst)-start <= partCut; !exact && len(dst)-start > partCut {
		dst = dst[:start+partCut]
	}
	if descending {
		invert(dst[start:])
	}
	return dst, exact
}

// Part cuts the entries of a composite index that begin with a prefix to those whose next part is a value from low up to
// but without high (nil: no bound), both as they are in entries of a path; perhaps to more.
func Part(all Interval, prefix, low, high []byte, descending bool) Interval {
	low = slices.Clone(low[:min(len(low), partCut)])
	cutOff := len(high) > partCut
	high = slices.Clone(high[:min(len(high), partCut)])
	if !descending {
		all.Low = slices.Concat(prefix, low)
		switch {
		case cutOff:
			all.High = After(slices.Concat(prefix, high))
		case len(high) > 0:
			all.High = slices.Concat(prefix, high)
		}
		return all
	}
	invert(low)
	invert(high)
	if len(low) > 0 {
		all.High = After(slices.Concat(prefix, low))
	}
	all.Low = slices.Concat(prefix, high)
	return all
}

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// Orders tells whether a composite index is in the order that is asked for, and whether backwards.
func Orders(index, keys []sql.OrderPath) (ok, backwards bool) {
	if len(index) != len(keys) || len(keys) == 0 {
		return false, false
	}
	backwards = index[0].Descending != keys[0].Descending
	for i, key := range keys {
		if !slices.Equal(index[i].Path, key.Path) || index[i].Descending != (key.Descending != backwards) {
			return false, false
		}
	}
	return true, backwards
}
