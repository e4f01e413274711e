package sql

import (
	"slices"
	"strings"
)

// complete gives a VECTORDISTANCE that does not say its distance function that of the path which it compares.
func (r *resolver) complete(n *node) {
	if !strings.EqualFold(n.name, "VECTORDISTANCE") || len(n.kids) < 2 || len(n.kids) == 4 && (n.kids[3].op != opObject || slices.Contains(n.kids[3].names, "distanceFunction")) {
		return
	}
	r.lacksMetric = true
	if r.metric == nil {
		return
	}
	name := ""
	for _, vector := range n.kids[:2] {
		if path := vector.members(); name == "" && path != nil {
			name = r.metric(path)
		}
	}
	if name == "" {
		return
	}
	place := node{start: n.start, end: n.end}
	if len(n.kids) == 2 {
		exact := place
		exact.value = BoolOf(false)
		n.kids = append(n.kids, &exact)
	}
	if len(n.kids) == 3 {
		options := place
		options.op = opObject
		n.kids = append(n.kids, &options)
	}
	function := place
	function.value = StringOf(name)
	options := n.kids[3]
	options.names, options.kids = append(options.names, "distanceFunction"), append(options.kids, &function)
}

// members are the names of a path below an identifier, nil if it is something else.
func (n *node) members() (path []string) {
	for ; n.op == opMember || n.op == opIndex; n = n.kids[0] {
		name := n.name
		if n.op == opIndex {
			name = n.kids[1].value.str // "" for what is no name
		}
		path = append(path, name)
	}
	if n.op != opIdent && n.op != opRoot {
		return nil
	}
	slices.Reverse(path)
	return path
}
