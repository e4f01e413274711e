package sqlfilter

import "strings"

// reserved words are no names unless they are quoted or bracketed.
var reserved = map[string]bool{
	"AND": true, "OR": true, "NOT": true, "IS": true, "NULL": true, "IN": true, "LIKE": true, "ESCAPE": true, "EXISTS": true,
	"TRUE": true, "FALSE": true, "SET": true, "REMOVE": true,
}

// primary reads a constant, a parameter, a function, a property or what stands in parentheses.
func (p *parser) primary() (node, error) {
	t := p.now()
	switch {
	case t.kind == text:
		p.take()
		return constant{t.text}, nil
	case t.kind == whole && t.least:
		return nil, p.fault("the number does not fit into 64 bits")
	case t.kind == whole:
		p.take()
		return constant{t.int}, nil
	case t.kind == decimal:
		p.take()
		return constant{t.float}, nil
	case t.is("TRUE"), t.is("FALSE"):
		p.take()
		return constant{t.is("TRUE")}, nil
	case t.is("NULL"):
		p.take()
		return constant{nil}, nil
	case t.kind == param:
		return p.parameter()
	case t.is("("):
		p.take()
		of, err := p.or()
		if err != nil {
			return nil, err
		}
		return of, p.expect(")")
	case t.kind == word && len(p.tokens) > 1 && p.tokens[1].is("("):
		return p.function()
	}
	return p.property()
}

func (p *parser) parameter() (node, error) {
	t := p.now()
	for name, value := range p.parameters {
		if strings.EqualFold("@"+strings.TrimPrefix(name, "@"), t.text) {
			p.take()
			return constant{canonical(value)}, nil
		}
	}
	return nil, p.fault("the parameter %s has no value", t.text)
}

func (p *parser) function() (node, error) {
	t := p.take()
	switch {
	case t.is("newid"):
		p.take()
		return newID{}, p.expect(")")
	case t.is("property"), t.is("p"):
		p.take()
		name, err := p.sum()
		if err != nil {
			return nil, err
		}
		return called{name}, p.expect(")")
	}
	return nil, &SyntaxError{t.at, "there is no function " + t.text + "; there are newid() and property()"}
}

// property reads [scope.]name. The scope is user unless it is sys.
func (p *parser) property() (property, error) {
	first := p.now()
	if !first.isName() {
		return property{}, p.fault("expected a value before %s", first)
	}
	p.take()
	if !p.now().is(".") {
		p.names = append(p.names, Name{Text: first.text, At: first.at, Bare: first.kind == word})
		return property{name: first.text}, nil
	}
	if !first.is("sys") && !first.is("user") {
		return property{}, &SyntaxError{first.at, "the scope is " + first.text + "; use sys or user, or write a name with a dot in brackets"}
	}
	p.take()
	name := p.now()
	if !name.isName() {
		return property{}, p.fault("expected a property's name before %s", name)
	}
	p.take()
	p.names = append(p.names, Name{Text: name.text, At: name.at, System: first.is("sys"), Bare: name.kind == word})
	return property{system: first.is("sys"), name: name.text}, nil
}

func (t token) isName() bool {
	return t.kind == quoted || t.kind == word && !reserved[strings.ToUpper(t.text)]
}
