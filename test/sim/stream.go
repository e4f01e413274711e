package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// line is what the topic took of one incarnation of an entity, first copies only.
type line struct {
	life         string
	first        int64
	since, drawn time.Time
	events       []event
}

func (l *line) top() int64 { return l.first + int64(len(l.events)) - 1 }

// stream is what the topic took of an entity, by incarnation.
type stream []*line

func (s stream) line(life string) *line {
	for _, l := range s {
		if l.life == life {
			return l
		}
	}
	return nil
}

func (s stream) of(life string) []event {
	if l := s.line(life); l != nil {
		return l.events
	}
	return nil
}

func (s stream) events() (all []event) {
	for _, l := range s {
		all = append(all, l.events...)
	}
	return all
}

// top is the highest number of an incarnation, 0 for none.
func (s stream) top(life string) int64 {
	if l := s.line(life); l != nil {
		return l.top()
	}
	return 0
}

// reach says whether a number was taken, in whatever incarnation.
func (s stream) reach(seq int64) bool {
	return seq < 1 || slices.ContainsFunc(s, func(l *line) bool { return l.first <= seq && seq <= l.top() })
}

// before is the incarnation that e's went on from, whose first event e is: the one that the
// life began with if it has got so far, or else the newest that has. The one that is gone with
// its container only if there is no other: whoever writes the entity anew, and has not heard of
// that yet, may by his clock have drawn an earlier one; but a batch that both containers took,
// because its first answer was lost, goes on with the same one in the second.
func before(known map[string]map[int64]event, e event, begin, gone string) (life string) {
	var newest time.Time
	for l, events := range known {
		p, ok := events[e.seq-1]
		switch {
		case !ok || l == e.Life:
		case l == begin:
			return l
		case life == "" || life == gone || l != gone && p.Drawn.After(newest):
			life, newest = l, p.Drawn
		}
	}
	return life
}

// inOrder are the lines as consumers follow them.
func (s stream) inOrder() stream {
	all := slices.Clone(s)
	slices.SortStableFunc(all, func(a, b *line) int {
		return cmp.Or(a.since.Compare(b.since), a.drawn.Compare(b.drawn))
	})
	return all
}

// explain looks for a way in which the view can have come by its effects: every event of the
// last incarnation, once; of each earlier one those up to some number, because the later one may
// overtake the rest. It returns how many had none at the least.
func (s stream) explain(effects map[string]int64) (lost int64, ok bool) {
	all := s.inOrder()
	if len(all) == 0 {
		return 0, len(effects) == 0
	}
	type way struct {
		effects map[string]int64
		lost    int64
	}
	ways := []way{{map[string]int64{}, 0}}
	for n, l := range all {
		var next []way
		least := 0
		if n == len(all)-1 {
			least = len(l.events)
		}
		for _, w := range ways {
			if least == 0 {
				next = append(next, way{w.effects, w.lost + int64(len(l.events))}) // never heard of
			}
			counts := map[string]int64{}
			if l.first > 1 {
				counts = maps.Clone(w.effects)
			}
			for k := 0; k <= len(l.events); k++ {
				if k > 0 {
					counts[l.events[k-1].name()]++
				}
				if k >= least {
					next = append(next, way{maps.Clone(counts), w.lost + int64(len(l.events)-k)})
				}
			}
		}
		ways = next
	}
	for _, w := range ways {
		if maps.Equal(w.effects, effects) && (!ok || w.lost < lost) {
			lost, ok = w.lost, true
		}
	}
	return lost, ok
}

// String is how much of each event there is, by incarnation.
func (s stream) String() string {
	var b strings.Builder
	for _, l := range s.inOrder() {
		counts := map[string]int{}
		for _, e := range l.events {
			counts[e.name()]++
		}
		fmt.Fprintf(&b, "%s from %d: %v; ", l.life, l.first, counts)
	}
	return b.String()
}
