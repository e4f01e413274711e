package sql

import "slices"

// OrderPath is a path of the document that ORDER BY names.
type OrderPath struct {
	Path       []string
	Descending bool
}

// OrderPaths are the paths of ORDER BY; nil if one of its keys is not a path of the document, or if there is none.
func (q *Query) OrderPaths() []OrderPath {
	if len(q.root.orderBy) == 0 || len(q.root.from) == 0 || q.root.from[0].expr == nil || q.root.from[0].iterate {
		return nil
	}
	pl := &planner{paths: map[int][]string{}}
	if path, ok := pl.path(q.root.from[0].expr); ok {
		pl.paths[q.root.from[0].slot] = path
	}
	var keys []OrderPath
	for _, o := range q.root.orderBy {
		path, ok := pl.path(o.expr)
		if !ok || len(path) == 0 || slices.Contains(path, Element) {
			return nil
		}
		keys = append(keys, OrderPath{Path: path, Descending: o.descending})
	}
	return keys
}

// Sorting are the paths that documents may come sorted by, nil where they must come in order of number.
func (q *Query) Sorting() []OrderPath {
	if q.root.distinct || q.root.aggregated() || q.root.scores != nil {
		return nil
	}
	return q.OrderPaths()
}

// Shape is the query without what may change between its pages: a client that goes on with a rewritten ORDER BY puts a
// filter in, and the cursor of one stands for the keys of a row whatever the filter is.
func (q *Query) Shape() string {
	s := *q.root
	if len(s.orderBy) == 0 || s.distinct || s.aggregated() {
		return q.text
	}
	s.where = nil
	w := &writer{}
	w.selection(&s)
	return w.String()
}

// spokenByClients are names of functions that nobody documents, but that clients write into the filter of an ORDER BY.
var spokenByClients = map[string]string{"IS_BOOLEAN": "IS_BOOL"}
