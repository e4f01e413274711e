package broker

import (
	"container/heap"
	"slices"
	"sort"
)

// backlog holds an entity's messages in the order of their sequence numbers, whatever their state. Numbers grow, but for
// the few that a transaction reserved, so it is a slice with holes; the holes are closed when they are the majority.
type backlog struct {
	entries []entry
	live    int
}

type entry struct {
	seq int64
	m   *message // nil: a hole
}

func (b *backlog) add(m *message) {
	at := len(b.entries)
	if at > 0 && b.entries[at-1].seq > m.seq { // its number was reserved
		at = b.from(m.seq)
	}
	b.entries = slices.Insert(b.entries, at, entry{m.seq, m})
	b.live++
}

// from is the index of the first entry with at least this number.
func (b *backlog) from(seq int64) int {
	return sort.Search(len(b.entries), func(i int) bool { return b.entries[i].seq >= seq })
}

func (b *backlog) get(seq int64) *message {
	if i := b.from(seq); i < len(b.entries) && b.entries[i].seq == seq {
		return b.entries[i].m
	}
	return nil
}

func (b *backlog) remove(seq int64) {
	i := b.from(seq)
	if i == len(b.entries) || b.entries[i].seq != seq || b.entries[i].m == nil {
		return
	}
	b.entries[i].m = nil
	b.live--
	if holes := len(b.entries) - b.live; holes > 64 && holes > b.live {
		b.compact()
	}
}

func (b *backlog) compact() {
	kept := make([]entry, 0, b.live+b.live/2)
	for _, e := range b.entries {
		if e.m != nil {
			kept = append(kept, e)
		}
	}
	b.entries = kept
}

// all yields messages from a number on.
func (b *backlog) all(seq int64) func(yield func(*message) bool) {
	return func(yield func(*message) bool) {
		for i := b.from(seq); i < len(b.entries); i++ {
			if m := b.entries[i].m; m != nil && !yield(m) {
				return
			}
		}
	}
}

// ready holds messages that can be handed out, the lowest number first: an abandoned message goes back to its place.
type ready []*message

func (r ready) Len() int           { return len(r) }
func (r ready) Less(i, j int) bool { return r[i].seq < r[j].seq }
func (r ready) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].place, r[j].place = i, j
}

// Push implements heap.Interface.
func (r *ready) Push(x any) {
	m := x.(*message)
	m.place = len(*r)
	*r = append(*r, m)
}

// Pop implements heap.Interface.
func (r *ready) Pop() any {
	old := *r
	m := old[len(old)-1]
	old[len(old)-1] = nil
	*r = old[:len(old)-1]
	m.place = nowhere
	return m
}

func (r *ready) add(m *message)    { heap.Push(r, m) }
func (r *ready) remove(m *message) { heap.Remove(r, m.place) }

// nowhere is the place of what is in no heap.
const nowhere = -1
