package sql

// kindSpans are the values that a type check is true for.
var kindSpans = map[string][]Span{
	"IS_DEFINED": {{}}, "IS_NULL": {{Kind: Null}}, "IS_BOOL": {{Kind: Bool}}, "IS_NUMBER": {{Kind: Number}}, "IS_INTEGER": {{Kind: Number}},
	"IS_FINITE_NUMBER": {{Kind: Number}}, "IS_STRING": {{Kind: String}}, "IS_DATETIME": {{Kind: String}}, "IS_ARRAY": {{Kind: Array}}, "IS_OBJECT": {{Kind: Object}},
	"IS_PRIMITIVE": {{Kind: Null}, {Kind: Bool}, {Kind: Number}, {Kind: String}},
}

// call is what a function says that is true.
func (pl *planner) call(n *node) *Filter {
	if spans := kindSpans[n.name]; spans != nil {
		return pl.at(n.kids[0], spans...)
	}
	switch n.name {
	case "STARTSWITH", "STRINGEQUALS":
		return pl.search(n)
	case "ARRAY_CONTAINS":
		return pl.arrayContains(n)
	case "ARRAY_CONTAINS_ANY", "ARRAY_CONTAINS_ALL":
		parts := make([]*Filter, 0, len(n.kids)-1)
		for _, kid := range n.kids[1:] {
			parts = append(parts, pl.contains(n.kids[0], kid))
		}
		if n.name == "ARRAY_CONTAINS_ANY" {
			return anyOf(parts)
		}
		return allOf(parts)
	}
	return nil
}

// search is about the start of a string or all of it; without regard to case it says nothing.
func (pl *planner) search(n *node) *Filter {
	if len(n.kids) > 2 {
		if fold, ok := pl.constant(n.kids[2]); !ok || fold.truth() {
			return nil
		}
	}
	v, _ := pl.scalar(n.kids[1])
	text, ok := v.Str()
	switch {
	case ok && n.name == "STARTSWITH":
		return pl.prefix(n.kids[0], text)
	case ok:
		return pl.at(n.kids[0], exactly(v))
	case n.name == "STARTSWITH":
		return nil
	}
	if v, _ = pl.scalar(n.kids[0]); v.kind != String {
		return nil
	}
	return pl.at(n.kids[1], exactly(v))
}

// arrayContains is about the elements of a path, or about a path whose value is in a list.
func (pl *planner) arrayContains(n *node) *Filter {
	if f := pl.contains(n.kids[0], n.kids[1]); f != nil || len(n.kids) > 2 {
		return f
	}
	list, ok := pl.constant(n.kids[0])
	if !ok || list.kind != Array {
		return nil
	}
	var spans []Span
	for _, v := range list.items {
		if v.kind > String {
			return nil
		}
		spans = append(spans, exactly(v))
	}
	return pl.at(n.kids[1], spans...)
}

// contains says of an array that one of its elements is a value, or has all that is in it.
func (pl *planner) contains(array, element *node) *Filter {
	path, ok := pl.path(array)
	v, constant := pl.constant(element)
	if !ok || !constant {
		return nil
	}
	return has(below(path, Element), v)
}

// has says of a path that it has a value, at any depth of objects.
func has(path []string, v Value) *Filter {
	switch {
	case v.kind == Object:
		parts := []*Filter{{Path: path, Spans: []Span{{Kind: Object}}}}
		for i, name := range v.names {
			parts = append(parts, has(below(path, name), v.items[i]))
		}
		return allOf(parts)
	case v.kind == Array:
		return &Filter{Path: path, Spans: []Span{{Kind: Array}}}
	case !v.IsDefined():
		return nil
	}
	return &Filter{Path: path, Spans: []Span{exactly(v)}}
}
