package sql

// Precedence, loosest first: ?: ?? OR AND NOT, then IN BETWEEN LIKE, then the levels of
// binaryLevels, then unary - + ~, then .name [index].

// binaryLevels are the left-associative operators from loosest to tightest.
var binaryLevels = []map[string]op{
	{"||": opConcat},
	{"|": opBitOr},
	{"^": opBitXor},
	{"&": opBitAnd},
	{"=": opEqual, "!=": opNotEqual, "<>": opNotEqual},
	{"<": opLess, "<=": opLessEqual, ">": opGreater, ">=": opGreaterEqual},
	{"<<": opShiftLeft, ">>": opShiftRight, ">>>": opShiftZero},
	{"+": opAdd, "-": opSubtract},
	{"*": opMultiply, "/": opDivide, "%": opModulo},
}

// unaryOps binds tighter than any binary operator.
var unaryOps = map[string]op{"-": opNegate, "+": opPlus, "~": opBitNot}

func (p *parser) expression() (*node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	cond, err := p.coalesce()
	if err != nil || !p.accept("?") {
		return cond, err
	}
	then, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	other, err := p.expression()
	if err != nil {
		return nil, err
	}
	return p.node(opCond, cond, then, other), nil
}

// node makes an operator's node, which spans its operands.
func (p *parser) node(op op, kids ...*node) *node {
	return &node{op: op, kids: kids, start: kids[0].start, end: kids[len(kids)-1].end}
}

func (p *parser) coalesce() (*node, error) { return p.chain("??", opCoalesce, p.or) }
func (p *parser) or() (*node, error)       { return p.chain("OR", opOr, p.and) }
func (p *parser) and() (*node, error)      { return p.chain("AND", opAnd, p.not) }

// chain takes operands joined by one operator as one node.
func (p *parser) chain(text string, op op, operand func() (*node, error)) (*node, error) {
	first, err := operand()
	if err != nil || !p.is(text) {
		return first, err
	}
	kids := []*node{first}
	for p.accept(text) {
		next, err := operand()
		if err != nil {
			return nil, err
		}
		kids = append(kids, next)
	}
	return p.node(op, kids...), nil
}

func (p *parser) not() (*node, error) {
	start := p.peek().start
	if !p.accept("NOT") {
		return p.predicate()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	operand, err := p.not()
	if err != nil {
		return nil, err
	}
	return &node{op: opNot, kids: []*node{operand}, start: start, end: operand.end}, nil
}

// predicate takes an operand and what may follow it: [NOT] IN, BETWEEN, LIKE.
func (p *parser) predicate() (*node, error) {
	left, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	negated := p.accept("NOT")
	switch {
	case p.accept("IN"):
		left, err = p.in(left)
	case p.accept("BETWEEN"):
		left, err = p.between(left)
	case p.accept("LIKE"):
		left, err = p.like(left)
	case negated:
		err = p.unexpected()
	}
	if err != nil || !negated {
		return left, err
	}
	return p.node(opNot, left), nil
}

func (p *parser) in(left *node) (*node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	list, err := p.list()
	if err != nil {
		return nil, err
	}
	return p.node(opIn, append([]*node{left}, list...)...), p.expect(")")
}

func (p *parser) between(left *node) (*node, error) {
	low, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if err := p.expect("AND"); err != nil {
		return nil, err
	}
	high, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	return p.node(opBetween, left, low, high), nil
}

func (p *parser) like(left *node) (*node, error) {
	pattern, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	n := p.node(opLike, left, pattern)
	if p.accept("ESCAPE") {
		t := p.peek()
		if t.kind != tokenString || len([]rune(t.text)) != 1 {
			return nil, p.unexpected()
		}
		n.name = p.take().text
	}
	return n, nil
}

func (p *parser) binary(level int) (*node, error) {
	if level == len(binaryLevels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil && p.peek().kind == tokenPunct {
		op, ok := binaryLevels[level][p.peek().text]
		if !ok {
			break
		}
		p.i++
		var right *node
		if right, err = p.binary(level + 1); err == nil {
			left = p.node(op, left, right)
		}
	}
	return left, err
}

func (p *parser) unary() (*node, error) {
	t := p.peek()
	op, ok := unaryOps[t.text]
	if t.kind != tokenPunct || !ok {
		return p.postfix()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	p.i++
	operand, err := p.unary()
	if err != nil {
		return nil, err
	}
	return &node{op: op, kids: []*node{operand}, start: t.start, end: operand.end}, nil
}

func (p *parser) postfix() (*node, error) {
	n, err := p.primary()
	for err == nil && (p.is(".") || p.is("[")) {
		n, err = p.step(n)
	}
	return n, err
}

// step takes .name or [index].
func (p *parser) step(base *node) (*node, error) {
	if p.accept(".") {
		name, err := p.identifier()
		if err != nil {
			return nil, err
		}
		return &node{op: opMember, name: name.text, kids: []*node{base}, start: base.start, end: name.end}, nil
	}
	p.i++
	index, err := p.expression()
	if err != nil {
		return nil, err
	}
	return p.node(opIndex, base, index), p.expect("]")
}

// list takes one or more expressions.
func (p *parser) list() ([]*node, error) {
	var list []*node
	for {
		n, err := p.expression()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		if !p.accept(",") {
			return list, nil
		}
	}
}
