package sqlfilter

import (
	"bytes"
	"cmp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// logical is OR, or else AND. Its second side is not looked at when the first decides.
type logical struct {
	or          bool
	left, right node
}

func (logical) predicate() bool { return true }

func (l logical) eval(m Message) (any, error) {
	left, err := l.left.eval(m)
	if err != nil || left == l.or {
		return left, err
	}
	right, err := l.right.eval(m)
	if err != nil || right == l.or || left != nil {
		return right, err
	}
	return nil, nil // neither side decides, and the left one is unknown
}

type negation struct{ of node }

func (negation) predicate() bool { return true }

func (n negation) eval(m Message) (any, error) {
	v, err := n.of.eval(m)
	if b, ok := v.(bool); ok && err == nil {
		return !b, nil
	}
	return nil, err
}

type compared struct {
	op          string
	left, right node
}

func (compared) predicate() bool { return true }

func (c compared) eval(m Message) (any, error) {
	left, right, err := both(m, c.left, c.right)
	if err != nil {
		return nil, err
	}
	order, ordered, ok := compare(left, right)
	if !ok {
		return nil, nil
	}
	switch c.op {
	case "=":
		return order == 0, nil
	case "<>":
		return order != 0, nil
	}
	if !ordered {
		return nil, nil
	}
	switch c.op {
	case ">":
		return order > 0, nil
	case ">=":
		return order >= 0, nil
	case "<":
		return order < 0, nil
	}
	return order <= 0, nil
}

// compare tells how two values stand to each other. ok is false when that is unknown,
// ordered when they are only equal or not.
func compare(left, right any) (order int, ordered, ok bool) {
	switch l := left.(type) {
	case int64:
		switch r := right.(type) {
		case int64:
			return cmp.Compare(l, r), true, true
		case float64:
			return numbers(float64(l), r)
		}
	case float64:
		switch r := right.(type) {
		case int64:
			return numbers(l, float64(r))
		case float64:
			return numbers(l, r)
		}
	case string:
		if id, ok := right.(uuid.UUID); ok {
			return differ(strings.EqualFold(l, id.String())), false, true
		}
		r, same := right.(string)
		return strings.Compare(l, r), true, same
	case uuid.UUID:
		r, same := textOf(right)
		return differ(strings.EqualFold(l.String(), r)), false, same
	case time.Duration:
		r, same := right.(time.Duration)
		return cmp.Compare(l, r), true, same
	case bool:
		r, same := right.(bool)
		return differ(l == r), false, same
	case time.Time:
		r, same := right.(time.Time)
		return l.Compare(r), true, same
	case []byte:
		r, same := right.([]byte)
		return bytes.Compare(l, r), false, same
	}
	return 0, false, false
}

// numbers compares as IEEE 754 does: what is not a number equals nothing.
func numbers(l, r float64) (int, bool, bool) {
	if l != l || r != r {
		return 1, false, true
	}
	return cmp.Compare(l, r), true, true
}

func differ(same bool) int {
	if same {
		return 0
	}
	return 1
}

// existing is EXISTS(property).
type existing struct{ of property }

func (existing) predicate() bool { return true }

func (e existing) eval(m Message) (any, error) {
	if e.of.system {
		v, err := e.of.eval(m)
		return v != nil, err
	}
	_, ok := m.User(e.of.name)
	return ok, nil
}

type isNull struct{ of node }

func (isNull) predicate() bool { return true }

func (n isNull) eval(m Message) (any, error) {
	v, err := n.of.eval(m)
	return v == nil, err
}

// oneOf is IN: true if one item is equal, unknown if none is and one might be.
type oneOf struct {
	of    node
	items []node
}

func (oneOf) predicate() bool { return true }

func (o oneOf) eval(m Message) (any, error) {
	of, err := o.of.eval(m)
	if err != nil || of == nil {
		return nil, err
	}
	var answer any = false
	for _, item := range o.items {
		v, err := item.eval(m)
		if err != nil {
			return nil, err
		}
		order, _, ok := compare(of, v)
		switch {
		case ok && order == 0:
			return true, nil
		case v == nil:
			answer = nil
		}
	}
	return answer, nil
}
