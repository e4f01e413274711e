package sql

import (
	"fmt"
	"math"
	"time"
)

// env is what an expression is evaluated in: one per run, used by one goroutine.
type env struct {
	root       Value   // the document
	slots      []Value // what FROM's names are bound to
	params     []Value
	aggregates []Value // of the group being finished
	budget     *budget
	now        time.Time              // one for all rows
	patterns   map[[2]string]*pattern // regular expressions by text and modifiers, a few
	compiled   int                    // bytes of patterns
}

// eval returns an expression's value; undefined spreads through most operators.
func (n *node) eval(e *env) Value {
	switch n.op {
	case opLiteral:
		return n.value
	case opParam:
		return e.params[n.slot]
	case opRoot:
		return e.root
	case opIdent:
		return e.slots[n.slot]
	case opMember:
		return e.get(n.kids[0].eval(e), n.name)
	case opIndex:
		return e.index(n.kids[0].eval(e), n.kids[1].eval(e))
	case opArray:
		return n.evalArray(e)
	case opObject:
		return n.evalObject(e)
	case opNegate, opPlus, opBitNot:
		return unary(n.op, n.kids[0].eval(e))
	case opNot:
		return not(n.kids[0].eval(e))
	case opAnd:
		return n.junction(e, false)
	case opOr:
		return n.junction(e, true)
	case opCond:
		return n.evalCond(e)
	case opCoalesce:
		return n.evalCoalesce(e)
	case opIn:
		return n.evalIn(e)
	case opBetween:
		return n.evalBetween(e)
	case opLike:
		return n.evalLike(e)
	case opCall:
		return n.evalCall(e)
	case opAggregate:
		return e.aggregates[n.slot]
	case opScalar, opExists, opArrayOf, opFirst, opLast, opAll:
		return n.evalSubquery(e)
	}
	return e.binary(n.op, n.kids[0].eval(e), n.kids[1].eval(e))
}

// wide is from how many names on it takes as long as a row to look for one.
const wide = 256

// get is a property that may have to be looked for among many.
func (e *env) get(base Value, name string) Value {
	if len(base.names) >= wide && e.budget.work(len(base.names)/wide) != nil {
		return Value{}
	}
	return base.Get(name)
}

func (e *env) index(base, at Value) Value {
	if name, ok := at.Str(); ok {
		return e.get(base, name)
	}
	i, ok := at.Number()
	if !ok || i != math.Trunc(i) || i < 0 || i > math.MaxInt32 {
		return Value{}
	}
	return base.At(int(i))
}

func (n *node) evalArray(e *env) Value {
	items, held := make([]Value, 0, len(n.kids)), 0
	for _, kid := range n.kids {
		v := kid.eval(e)
		if held += v.weight(); e.budget.built(held) != nil {
			return Value{}
		}
		if v.IsDefined() {
			items = append(items, v)
		}
	}
	return ArrayOf(items)
}

func (n *node) evalObject(e *env) Value {
	var b objectBuilder
	held := 0
	for i, kid := range n.kids {
		v := kid.eval(e)
		if held += v.weight(); e.budget.built(held) != nil {
			return Value{}
		}
		if v.IsDefined() {
			b.set(n.names[i], v)
		}
	}
	return b.value()
}

func not(v Value) Value {
	if v.kind != Bool {
		return Value{}
	}
	return BoolOf(v.num == 0)
}

// junction is AND (decisive false) and OR (decisive true): a decisive operand decides,
// otherwise anything but a boolean makes the result undefined.
func (n *node) junction(e *env, decisive bool) Value {
	result := BoolOf(!decisive)
	for _, kid := range n.kids {
		v := kid.eval(e)
		switch {
		case v.kind != Bool:
			result = Value{}
		case v.truth() == decisive:
			return v
		}
	}
	return result
}

func (n *node) evalCond(e *env) Value {
	if n.kids[0].eval(e).truth() {
		return n.kids[1].eval(e)
	}
	return n.kids[2].eval(e)
}

func (n *node) evalCoalesce(e *env) Value {
	for _, kid := range n.kids {
		if v := kid.eval(e); v.IsDefined() {
			return v
		}
	}
	return Value{}
}

// evalIn is an OR of equalities.
func (n *node) evalIn(e *env) Value {
	left, result := n.kids[0].eval(e), BoolOf(false)
	for _, kid := range n.kids[1:] {
		v := e.binary(opEqual, left, kid.eval(e))
		switch {
		case v.truth():
			return v
		case !v.IsDefined():
			result = v
		}
	}
	return result
}

func (n *node) evalBetween(e *env) Value {
	v := n.kids[0].eval(e)
	low, high := e.binary(opGreaterEqual, v, n.kids[1].eval(e)), e.binary(opLessEqual, v, n.kids[2].eval(e))
	switch {
	case low.kind == Bool && !low.truth(), high.kind == Bool && !high.truth():
		return BoolOf(false)
	case low.truth() && high.truth():
		return low
	}
	return Value{}
}

func (n *node) evalLike(e *env) Value {
	text, ok1 := n.kids[0].eval(e).Str()
	pattern, ok2 := n.kids[1].eval(e).Str()
	if !ok1 || !ok2 || !e.budget.over(len(text)+len(pattern)) {
		return Value{}
	}
	return BoolOf(like(text, pattern, n.name, e.budget.work))
}

func (n *node) evalCall(e *env) Value {
	args, held := make([]Value, len(n.kids)), 0
	for i, kid := range n.kids {
		args[i] = kid.eval(e)
		if held += args[i].weight(); e.budget.built(held) != nil {
			return Value{}
		}
	}
	if !e.budget.over(held) {
		return Value{}
	}
	if n.fn.size != nil && n.fn.size(args) > maxJoined {
		e.budget.fail(fmt.Errorf("%w: %s makes a string of more than %d MB", ErrMemory, n.name, maxJoined>>20))
		return Value{}
	}
	if n.fn.in != nil {
		return n.fn.in(e, args)
	}
	return n.fn.call(args)
}

func unary(op op, v Value) Value {
	if v.kind != Number {
		return Value{}
	}
	switch op {
	case opNegate:
		return NumberOf(-v.num)
	case opPlus:
		return v
	}
	return NumberOf(float64(^int32Of(v.num)))
}

// int32Of is what bitwise operators make of a number, as in ECMAScript.
func int32Of(f float64) int32 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return int32(uint32(int64(math.Mod(math.Trunc(f), 1<<32))))
}

func integer(v Value) (int64, bool) {
	if v.kind != Number || v.num != math.Trunc(v.num) || math.Abs(v.num) > 1<<53 {
		return 0, false
	}
	return int64(v.num), true
}

// maxJoined bounds the strings that || and functions build of others. It is a limit of ours: what passes it ends the run.
const maxJoined = 8 << 20

func (e *env) binary(op op, a, b Value) Value {
	if !a.IsDefined() || !b.IsDefined() {
		return Value{}
	}
	if a.kind >= String && a.kind == b.kind && !e.budget.over(min(a.weight(), b.weight())) {
		return Value{}
	}
	switch op {
	case opEqual:
		return BoolOf(Equal(a, b))
	case opNotEqual:
		return BoolOf(!Equal(a, b))
	case opLess, opLessEqual, opGreater, opGreaterEqual:
		return relation(op, a, b)
	case opConcat:
		if a.kind != String || b.kind != String {
			return Value{}
		}
		if len(a.str)+len(b.str) > maxJoined {
			e.budget.fail(fmt.Errorf("%w: || makes a string of more than %d MB", ErrMemory, maxJoined>>20))
			return Value{}
		}
		return StringOf(a.str + b.str)
	case opBitAnd, opBitOr, opBitXor, opShiftLeft, opShiftRight, opShiftZero:
		return bitwise(op, a, b)
	}
	return arithmetic(op, a, b)
}

// relation orders scalars of one type; between types, and for arrays and objects,
// order is undefined.
func relation(op op, a, b Value) Value {
	if a.kind != b.kind || a.kind > String {
		return Value{}
	}
	if math.IsNaN(a.num) || math.IsNaN(b.num) {
		return BoolOf(false)
	}
	c := Compare(a, b)
	switch op {
	case opLess:
		return BoolOf(c < 0)
	case opLessEqual:
		return BoolOf(c <= 0)
	case opGreater:
		return BoolOf(c > 0)
	}
	return BoolOf(c >= 0)
}

// bitwise works on 32 bits.
func bitwise(op op, a, b Value) Value {
	if a.kind != Number || b.kind != Number {
		return Value{}
	}
	x, y := int32Of(a.num), int32Of(b.num)
	bits := uint32(y) & 31
	switch op {
	case opBitAnd:
		x &= y
	case opBitOr:
		x |= y
	case opBitXor:
		x ^= y
	case opShiftLeft:
		x <<= bits
	case opShiftRight:
		x >>= bits
	case opShiftZero:
		return NumberOf(float64(uint32(x) >> bits))
	}
	return NumberOf(float64(x))
}

func arithmetic(op op, a, b Value) Value {
	if a.kind != Number || b.kind != Number {
		return Value{}
	}
	switch op {
	case opAdd:
		return finite(a.num + b.num)
	case opSubtract:
		return finite(a.num - b.num)
	case opMultiply:
		return finite(a.num * b.num)
	case opDivide:
		return finite(a.num / b.num)
	}
	return finite(math.Mod(a.num, b.num))
}

// finite is a number that JSON can hold, else undefined.
func finite(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	return NumberOf(f)
}
