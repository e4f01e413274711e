package sqlfilter

import (
	"fmt"
	"math"
	"strconv"

	"github.com/google/uuid"
)

// A node is a condition, whose value is true, false or nil for unknown, or a value.
type node interface {
	eval(Message) (any, error)
	predicate() bool
}

type constant struct{ of any }

func (constant) predicate() bool             { return false }
func (c constant) eval(Message) (any, error) { return c.of, nil }

type property struct {
	system bool
	name   string
}

func (property) predicate() bool { return false }

func (p property) eval(m Message) (any, error) {
	if !p.system {
		v, _ := m.User(p.name)
		return canonical(v), nil
	}
	v, ok := m.System(p.name)
	if !ok {
		return nil, fmt.Errorf("sys.%s: %w", p.name, ErrNoSystemProperty)
	}
	return canonical(v), nil
}

// called is property(expression): the user property whose name the expression gives.
type called struct{ name node }

func (called) predicate() bool { return false }

func (c called) eval(m Message) (any, error) {
	name, err := c.name.eval(m)
	s, ok := name.(string)
	if err != nil || !ok {
		return nil, err
	}
	return property{name: s}.eval(m)
}

type newID struct{}

func (newID) predicate() bool { return false }

func (newID) eval(Message) (any, error) { return uuid.New(), nil }

type unary struct {
	op string
	of node
}

func (unary) predicate() bool { return false }

func (u unary) eval(m Message) (any, error) {
	v, err := u.of.eval(m)
	if err != nil || v == nil {
		return nil, err
	}
	switch v := v.(type) {
	case int64:
		if u.op == "-" {
			return -v, nil
		}
		return v, nil
	case float64:
		if u.op == "-" {
			return -v, nil
		}
		return v, nil
	}
	return nil, fmt.Errorf("%s%v: %w", u.op, v, ErrOperand)
}

type computed struct {
	op          string
	left, right node
}

func (computed) predicate() bool { return false }

func (c computed) eval(m Message) (any, error) {
	left, right, err := both(m, c.left, c.right)
	if err != nil || left == nil || right == nil {
		return nil, err
	}
	if c.op == "+" {
		joined, ok, err := join(left, right)
		if ok || err != nil {
			return joined, err
		}
	}
	switch l := left.(type) {
	case int64:
		switch r := right.(type) {
		case int64:
			return wholes(c.op, l, r)
		case float64:
			return floats(c.op, float64(l), r), nil
		}
	case float64:
		switch r := right.(type) {
		case int64:
			return floats(c.op, l, float64(r)), nil
		case float64:
			return floats(c.op, l, r), nil
		}
	}
	return nil, fmt.Errorf("%T %s %T: %w", left, c.op, right, ErrOperand)
}

// maxText bounds a text that is put together, in bytes: no property is larger, and a short condition could take one
// hundreds of times.
const maxText = 256 << 10

// join puts a text and what stands beside it together, as C# does.
func join(left, right any) (joined string, ok bool, err error) {
	_, leftIsText := left.(string)
	_, rightIsText := right.(string)
	l, ok := written(left)
	r, too := written(right)
	switch {
	case !leftIsText && !rightIsText || !ok || !too:
		return "", false, nil
	case len(l)+len(r) > maxText:
		return "", false, fmt.Errorf("a text of %d bytes is too long: %w", len(l)+len(r), ErrOperand)
	}
	return l + r, true, nil
}

// written is a value as C# writes it into a text.
func written(v any) (string, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case bool:
		if v {
			return "True", true
		}
		return "False", true
	}
	return textOf(v)
}

func wholes(op string, l, r int64) (any, error) {
	switch {
	case op == "+":
		return l + r, nil
	case op == "-":
		return l - r, nil
	case op == "*":
		return l * r, nil
	case r == 0:
		return nil, ErrDivision
	case op == "/":
		return l / r, nil
	}
	return l % r, nil
}

func floats(op string, l, r float64) float64 {
	switch op {
	case "+":
		return l + r
	case "-":
		return l - r
	case "*":
		return l * r
	case "/":
		return l / r
	}
	return math.Mod(l, r)
}

func both(m Message, left, right node) (l, r any, err error) {
	if l, err = left.eval(m); err != nil {
		return nil, nil, err
	}
	r, err = right.eval(m)
	return l, r, err
}
