package sql

// accumulator folds the values of one aggregate over a group.
type accumulator interface {
	add(Value)
	result() Value
}

// accumulators by the aggregate's name.
var accumulators = map[string]func() accumulator{
	"COUNT": func() accumulator { return &counter{} },
	"SUM":   func() accumulator { return &summer{} },
	"AVG":   func() accumulator { return &summer{average: true} },
	"MIN":   func() accumulator { return &extreme{sign: -1} },
	"MAX":   func() accumulator { return &extreme{sign: 1} },
}

// counter counts what is defined.
type counter struct{ n int }

func (c *counter) add(v Value) {
	if v.IsDefined() {
		c.n++
	}
}

func (c *counter) result() Value { return NumberOf(float64(c.n)) }

// summer is SUM and AVG: undefined is skipped, anything but a number spoils the result.
type summer struct {
	average, spoiled bool
	sum              float64
	n                int
}

func (s *summer) add(v Value) {
	switch v.kind {
	case Undefined:
	case Number:
		s.sum += v.num
		s.n++
	default:
		s.spoiled = true
	}
}

func (s *summer) result() Value {
	switch {
	case s.spoiled || s.average && s.n == 0:
		return Value{}
	case s.average:
		return finite(s.sum / float64(s.n))
	}
	return finite(s.sum)
}

// extreme is MIN and MAX in ORDER BY's order: undefined is skipped, arrays and objects
// spoil the result.
type extreme struct {
	sign    int
	spoiled bool
	best    Value
}

func (x *extreme) add(v Value) {
	switch {
	case !v.IsDefined():
	case v.kind > String:
		x.spoiled = true
	case !x.best.IsDefined() || Compare(v, x.best)*x.sign > 0:
		x.best = v
	}
}

func (x *extreme) result() Value {
	if x.spoiled {
		return Value{}
	}
	return x.best
}

// group is the rows that share the values of GROUP BY.
type group struct {
	slots        []Value // of the first row
	root         Value
	accumulators []accumulator
}

// groups folds rows.
type groups struct {
	s     *selection
	index map[string]*group
	order []*group
}

func newGroups(s *selection) *groups { return &groups{s: s, index: map[string]*group{}} }

// add folds the row that e stands on.
func (g *groups) add(e *env) error {
	var signature []byte
	for _, n := range g.s.groupBy {
		signature = append(n.eval(e).appendCanonical(signature), 0)
	}
	gr := g.index[string(signature)]
	if gr == nil {
		gr = g.open(e)
		g.index[string(signature)] = gr
		if err := e.budget.hold(len(signature) + 128*(1+len(gr.slots))); err != nil {
			return err
		}
	}
	for i, a := range g.s.aggregates {
		gr.accumulators[i].add(a.kids[0].eval(e))
	}
	return nil
}

func (g *groups) open(e *env) *group {
	gr := &group{slots: append([]Value(nil), e.slots...), root: e.root}
	for _, a := range g.s.aggregates {
		gr.accumulators = append(gr.accumulators, accumulators[a.name]())
	}
	g.order = append(g.order, gr)
	return gr
}

// finish calls visit with e standing on each group. Aggregates without GROUP BY have
// one group even if there was no row.
func (g *groups) finish(e *env, visit func() error) error {
	if len(g.order) == 0 && len(g.s.groupBy) == 0 {
		g.open(e)
	}
	outer, slots, root := e.aggregates, e.slots, e.root
	defer func() { e.aggregates, e.slots, e.root = outer, slots, root }()
	for _, gr := range g.order {
		e.slots, e.root = gr.slots, gr.root
		e.aggregates = make([]Value, len(gr.accumulators))
		for i, a := range gr.accumulators {
			e.aggregates[i] = a.result()
		}
		if err := visit(); err != nil {
			return err
		}
	}
	return nil
}
