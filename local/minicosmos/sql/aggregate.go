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

	"COUNTIF":  func() accumulator { return &counter{truth: true} },
	"MAKELIST": func() accumulator { return &lister{} },
	"MAKESET":  func() accumulator { return &lister{seen: map[string]bool{}} },
}

// counter counts what is defined, or what is true.
type counter struct {
	truth bool
	n     int
}

func (c *counter) add(v Value) {
	if v.IsDefined() && (!c.truth || v.truth()) {
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

// lister is MAKELIST, and MAKESET where it has seen: an array of what is defined.
type lister struct {
	seen map[string]bool
	list []Value
}

func (l *lister) add(v Value) {
	if !v.IsDefined() {
		return
	}
	if l.seen != nil {
		l.list = append(l.list, without([]Value{v}, l.seen)...)
		return
	}
	l.list = append(l.list, v)
}

func (l *lister) result() Value { return ArrayOf(l.list) }
