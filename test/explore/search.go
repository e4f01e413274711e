package explore

import (
	"container/heap"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Case is what is explored.
type Case struct {
	Name string
	// Faults says how often each may happen on one path; Total bounds all of them together.
	Faults map[Fault]int
	Total  int
	// Setup puts the processes into the world.
	Setup func(w *World)
	// End is asked when nothing can happen any more, with the world's faults over: it lets
	// everything drain and says what is broken.
	End func(w *World) error
}

// Found is what an exploration came to.
type Found struct {
	States, Paths, Steps, Ends int
	// Longest is the number of choices on the longest path.
	Longest int
	// Left is the number of paths that the bound kept from being run; 0: all were.
	Left int
	// Breach is the broken promise, nil if there is none, and Path the way to it.
	Breach error
	Path   []step
	Took   time.Duration
}

// String is one line for a person.
func (f Found) String() string {
	all := "all of them"
	if f.Left > 0 {
		all = fmt.Sprintf("cut, %d paths were left", f.Left)
	}
	return fmt.Sprintf("%d states (%s), %d ends, %d paths, %d steps, longest %d, %s",
		f.States, all, f.Ends, f.Paths, f.Steps, f.Longest, f.Took.Round(10*time.Millisecond))
}

// node is a path that is to be run: its parent's, and one choice more.
type node struct {
	parent *node
	choice step
	depth  int
	// faults and turns order the paths: few faults first, then few turns to another process.
	faults, turns int
	last          string // the process of the last choice
}

func (n *node) path() []step {
	path := make([]step, n.depth)
	for at := n; at.depth > 0; at = at.parent {
		path[at.depth-1] = at.choice
	}
	return path
}

func (n *node) then(c choice) *node {
	next := &node{parent: n, choice: c.step, depth: n.depth + 1, faults: n.faults, turns: n.turns, last: n.last}
	if c.fault != "" {
		next.faults++
	}
	if c.who != "" && c.who != n.last {
		if n.last != "" {
			next.turns++
		}
		next.last = c.who
	}
	return next
}

func (n *node) before(o *node) bool {
	switch {
	case n.faults != o.faults:
		return n.faults < o.faults
	case n.turns != o.turns:
		return n.turns < o.turns
	}
	return n.depth > o.depth
}

// frontier implements heap.Interface.
type frontier []*node

func (f frontier) Len() int           { return len(f) }
func (f frontier) Less(i, j int) bool { return f[i].before(f[j]) }
func (f frontier) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *frontier) Push(n any)        { *f = append(*f, n.(*node)) }
func (f *frontier) Pop() any {
	last := len(*f) - 1
	n := (*f)[last]
	(*f)[last] = nil
	*f = (*f)[:last]
	return n
}

// search is an exploration under way.
type search struct {
	c       Case
	open    frontier
	visited map[digest]struct{}
	found   Found
}

// perBubble is how many paths share a bubble; its goroutines all end with their path.
const perBubble = 200

// Explore tries everything that can happen in c, up to a number of states.
func Explore(t *testing.T, c Case, states int) Found {
	t.Helper()
	s := &search{c: c, visited: map[digest]struct{}{}, open: frontier{{}}}
	began := time.Now()
	for len(s.open) > 0 && s.found.Breach == nil && s.found.States < states {
		synctest.Test(t, func(t *testing.T) {
			for range perBubble {
				if len(s.open) == 0 || s.found.Breach != nil || s.found.States >= states {
					return
				}
				s.run(heap.Pop(&s.open).(*node))
			}
		})
	}
	s.found.Left, s.found.Took = len(s.open), time.Since(began)
	return s.found
}

// run repeats the path to n and goes on from there until it comes to a state that is known.
func (s *search) run(n *node) {
	w := newWorld(s.c)
	defer w.close()
	s.found.Paths++
	for _, step := range n.path() {
		s.found.Steps++
		if err := w.follow(step); err != nil {
			s.breach(n, err)
			return
		}
	}
	for {
		if w.breach != nil {
			s.breach(n, w.breach)
			return
		}
		s.found.Longest = max(s.found.Longest, n.depth)
		state := w.digest()
		if _, known := s.visited[state]; known {
			return
		}
		s.visited[state] = struct{}{}
		s.found.States++
		choices := w.choices()
		go_, ok := s.choose(n, choices)
		if !ok {
			s.found.Ends++
			if err := w.end(); err != nil {
				s.breach(n, err)
			}
			return
		}
		n = n.then(go_)
		s.found.Steps++
		w.take(go_)
	}
}

func (s *search) breach(n *node, err error) {
	s.found.Breach, s.found.Path = err, n.path()
}

// choose puts all choices but one aside and returns that one: an ordinary step, if possible
// of the process that made the last one. ok is false when nothing but faults and arrivals
// of what nobody waits for is left: everything may be over then.
func (s *search) choose(n *node, choices []choice) (best choice, ok bool) {
	for _, c := range choices {
		if !c.must {
			continue
		}
		if !ok || best.who != n.last && c.who == n.last {
			best, ok = c, true
		}
	}
	for _, c := range choices {
		switch {
		case ok && c.step == best.step:
		case !ok && c.fault != "": // nobody is there to be hurt
		default:
			heap.Push(&s.open, n.then(c))
		}
	}
	return best, ok
}

// Transcript repeats a path and says what each process was told.
func Transcript(t *testing.T, c Case, path []step) string {
	t.Helper()
	var text strings.Builder
	synctest.Test(t, func(*testing.T) {
		w := newWorld(c)
		defer w.close()
		w.told = func(line string) { fmt.Fprintln(&text, line) }
		for i, step := range path {
			fmt.Fprintf(&text, "%3d  ", i+1)
			if err := w.follow(step); err != nil {
				fmt.Fprintln(&text, err)
				return
			}
		}
	})
	return text.String()
}
