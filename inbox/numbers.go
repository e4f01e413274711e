package inbox

import (
	"encoding/json"
	"slices"
)

// Numbers is a set of event numbers as ranges that neither touch nor overlap, in order. It
// is a value: no method changes its receiver.
type Numbers []span

// span has both of its ends.
type span struct{ From, To int64 }

// MarshalJSON writes a span as [from,to].
func (s span) MarshalJSON() ([]byte, error) { return json.Marshal([2]int64{s.From, s.To}) }

// UnmarshalJSON reads [from,to].
func (s *span) UnmarshalJSON(text []byte) error {
	var ends [2]int64
	err := json.Unmarshal(text, &ends)
	s.From, s.To = ends[0], ends[1]
	return err
}

// Has says whether n is in the set.
func (ns Numbers) Has(n int64) bool {
	return slices.ContainsFunc(ns, func(s span) bool { return s.From <= n && n <= s.To })
}

// Lowest is the smallest number, 0 in an empty set.
func (ns Numbers) Lowest() int64 {
	if len(ns) == 0 {
		return 0
	}
	return ns[0].From
}

// Len counts the numbers.
func (ns Numbers) Len() (n int64) {
	for _, s := range ns {
		n += s.To - s.From + 1
	}
	return n
}

// With has all numbers of one range besides.
func (ns Numbers) With(from, to int64) Numbers {
	if to < from {
		return ns
	}
	next := make(Numbers, 0, len(ns)+1)
	for i, s := range ns {
		if s.From > to+1 {
			return append(append(next, span{from, to}), ns[i:]...)
		}
		if s.To < from-1 {
			next = append(next, s)
			continue
		}
		from, to = min(from, s.From), max(to, s.To)
	}
	return append(next, span{from, to})
}

// Above has only the numbers that are larger than n.
func (ns Numbers) Above(n int64) Numbers {
	var next Numbers
	for _, s := range ns {
		if s.From = max(s.From, n+1); s.From <= s.To {
			next = append(next, s)
		}
	}
	return next
}

// Without has all numbers but n.
func (ns Numbers) Without(n int64) Numbers {
	var next Numbers
	for _, s := range ns {
		if n < s.From || n > s.To {
			next = append(next, s)
			continue
		}
		next = next.With(s.From, n-1)
		next = next.With(n+1, s.To)
	}
	return next
}

// newest drops ranges from the front until at most n are left.
func (ns Numbers) newest(n int) Numbers { return ns[max(0, len(ns)-n):] }
