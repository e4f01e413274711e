package sql

import "slices"

// CrossPartition tells whether the service's gateway serves the query over more than
// one logical partition: only filters and projections.
func (q *Query) CrossPartition() bool {
	s := q.root
	return !s.distinct && !s.aggregated() && s.top == nil && len(s.orderBy) == 0 && s.offset == nil && (len(s.from) == 0 || !s.from[0].derived)
}

// NeedsDocuments tells whether a FROM names documents.
func (q *Query) NeedsDocuments() bool {
	s := q.root
	for len(s.from) > 0 && s.from[0].derived {
		s = s.from[0].sub
	}
	return len(s.from) > 0
}

// Pinned returns the scalar that the filter demands by = or IN at a path, undefined if it demands none.
func (f *Filter) Pinned(path []string) Value {
	switch {
	case f == nil:
	case f.Of == nil:
		if f.equality && len(f.Spans) == 1 && slices.Equal(f.Path, path) {
			return f.Spans[0].point()
		}
	case !f.Any:
		for _, part := range f.Of {
			if v := part.Pinned(path); v.IsDefined() {
				return v
			}
		}
	}
	return Value{}
}
