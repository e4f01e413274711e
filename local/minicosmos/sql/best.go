package sql

import "slices"

// best keeps the first results in order, as many as there is room and memory for.
type best struct {
	s      *selection
	list   []result // a heap: none is before those below it, so that the last of all is the first here
	room   int
	budget int
	cut    bool // something was left out
}

// wants tells whether a result would be kept.
func (b *best) wants(r result) bool {
	if len(b.list) < b.room || b.s.compare(r, b.list[0]) < 0 {
		return true
	}
	b.cut = true
	return false
}

// settled tells whether nothing that comes after a result that is not wanted is, when so many keys are sorted.
func (b *best) settled(r result, sorted int) bool {
	last := b.list[0]
	for i := range min(sorted, len(b.s.orderBy)) {
		if c := b.s.orderBy[i].compare(r.keys[i], last.keys[i]); c != 0 {
			return c > 0
		}
	}
	return sorted > len(b.s.orderBy)
}

// add keeps a result, and lets the last ones go where there is no room for them.
func (b *best) add(r result) {
	b.budget -= r.weight()
	b.list = append(b.list, r)
	b.rise(len(b.list) - 1)
	for len(b.list) > b.room || b.budget < 0 && len(b.list) > 1 {
		b.budget += b.list[0].weight()
		b.dropLast()
		b.room = min(b.room, max(1, len(b.list)))
		b.cut = true
	}
}

// rise puts the result at i where it belongs among those above it.
func (b *best) rise(i int) {
	for i > 0 {
		above := (i - 1) / 2
		if b.s.compare(b.list[i], b.list[above]) <= 0 {
			return
		}
		b.list[i], b.list[above] = b.list[above], b.list[i]
		i = above
	}
}

// dropLast lets the last result go, which is the first of the heap.
func (b *best) dropLast() {
	end := len(b.list) - 1
	b.list[0], b.list[end] = b.list[end], result{}
	b.list = b.list[:end]
	for i := 0; 2*i+1 < end; {
		below := 2*i + 1
		if below+1 < end && b.s.compare(b.list[below+1], b.list[below]) > 0 {
			below++
		}
		if b.s.compare(b.list[below], b.list[i]) <= 0 {
			return
		}
		b.list[i], b.list[below] = b.list[below], b.list[i]
		i = below
	}
}

// sorted returns what was kept, in order; nothing can be added then.
func (b *best) sorted() []result {
	slices.SortFunc(b.list, b.s.compare)
	return b.list
}
