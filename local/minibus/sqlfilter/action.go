package sqlfilter

import "fmt"

// maxStatements bounds an action, as the service does.
const maxStatements = 32

// Action is a list of changes. It may be used by many goroutines at once.
type Action struct {
	statements []statement
	text       string
	names      []Name
}

// Names are the properties that the action names.
func (a *Action) Names() []Name { return a.names }

// statement is SET, or REMOVE without a value.
type statement struct {
	of    property
	value node
}

// ParseAction reads SET and REMOVE statements; a semicolon between them is optional.
// parameters are the values of @names in it; nil if it has none.
func ParseAction(text string, parameters map[string]any) (*Action, error) {
	p, err := newParser(text, parameters)
	if err != nil {
		return nil, err
	}
	a := &Action{text: text}
	for p.now().kind != end {
		s, err := p.statement()
		if err != nil {
			return nil, err
		}
		a.statements = append(a.statements, s)
		if len(a.statements) > maxStatements {
			return nil, p.fault("more than %d statements", maxStatements)
		}
		p.accept(";", ",")
	}
	if len(a.statements) == 0 {
		return nil, p.fault("no statement; write SET name = value or REMOVE name")
	}
	a.names = p.names
	return a, nil
}

// String is the text that ParseAction read.
func (a *Action) String() string { return a.text }

func (p *parser) statement() (statement, error) {
	op, ok := p.accept("SET", "REMOVE")
	if !ok {
		return statement{}, p.fault("expected SET or REMOVE before %s", p.now())
	}
	of, err := p.property()
	if err != nil {
		return statement{}, err
	}
	named := len(p.names) - 1
	p.names[named].Set = true
	if op == "REMOVE" {
		p.names[named].Value.Known = true
		return statement{of: of}, nil
	}
	if err := p.expect("="); err != nil {
		return statement{}, err
	}
	at := p.now().at
	v, err := p.sum()
	if err == nil && v.predicate() {
		err = &SyntaxError{at, "SET takes a value, and this is a condition"}
	}
	if c, ok := v.(constant); ok {
		p.names[named].Value = Constant{true, c.of}
	}
	return statement{of, v}, err
}

// Apply changes m, statement by statement; each sees what the ones before it did. An
// unknown value sets a user property to null. After an error m is to be thrown away.
func (a *Action) Apply(m Changeable) error {
	for _, s := range a.statements {
		if err := s.apply(m); err != nil {
			return err
		}
	}
	return nil
}

func (s statement) apply(m Changeable) error {
	var v any
	if s.value != nil {
		var err error
		if v, err = s.value.eval(m); err != nil {
			return err
		}
	}
	switch {
	case s.of.system:
		if !m.SetSystem(s.of.name, v) {
			return fmt.Errorf("sys.%s: %w", s.of.name, ErrNoSystemProperty)
		}
	case s.value == nil:
		m.RemoveUser(s.of.name)
	default:
		m.SetUser(s.of.name, v)
	}
	return nil
}
