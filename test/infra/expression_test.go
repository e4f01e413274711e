package infra_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// scope is where the expressions of one template get their values from.
type scope struct {
	parameters map[string]any
	variables  map[string]any // unevaluated
	index      int            // of the copy that is being made
}

// runtime is a value that only a deployment knows; it keeps how it is asked for.
type runtime string

// eval gives every expression below v its value. A template's language is JSON with
// expressions in brackets; [[ escapes a bracket.
func (s *scope) eval(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, item := range v {
			if key == "copy" {
				continue
			}
			out[fmt.Sprint(s.eval(key))] = s.eval(item)
		}
		if list, ok := v["copy"].([]any); ok {
			for _, c := range list {
				s.copies(out, c.(map[string]any))
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = s.eval(item)
		}
		return out
	case string:
		if strings.HasPrefix(v, "[[") || !strings.HasPrefix(v, "[") || !strings.HasSuffix(v, "]") {
			return strings.TrimPrefix(v, "[[")
		}
		p := &parser{scope: s, text: v[1 : len(v)-1]}
		value := p.expression()
		if p.at != len(p.text) {
			panic(fmt.Sprintf("%s: cannot read on at %q", v, p.text[p.at:]))
		}
		return value
	}
	return v
}

// variable is one of the template, or one that is repeated.
func (s *scope) variable(name string) any {
	if v, ok := s.variables[name]; ok {
		return s.eval(v)
	}
	repeated, _ := s.variables["copy"].([]any)
	for _, c := range repeated {
		if c := c.(map[string]any); c["name"] == name {
			out := map[string]any{}
			s.copies(out, c)
			return out[name]
		}
	}
	panic("there is no variable " + name)
}

// copies makes a property that is repeated.
func (s *scope) copies(out map[string]any, c map[string]any) {
	count, _ := number(s.eval(c["count"]))
	list := make([]any, int(count))
	for i := range list {
		list[i] = s.at(i).eval(c["input"])
	}
	out[c["name"].(string)] = list
}

func (s *scope) at(i int) *scope {
	copied := *s
	copied.index = i
	return &copied
}

type parser struct {
	*scope
	text string
	at   int
}

func (p *parser) take(s string) bool {
	if !strings.HasPrefix(p.text[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

// expression reads a constant or a call, and what is asked of its result.
func (p *parser) expression() any {
	v := p.primary()
	for {
		switch {
		case p.take("."):
			v = member(v, p.word())
		case p.take("["):
			v = member(v, p.expression())
			p.take("]")
		default:
			return v
		}
	}
}

func (p *parser) word() string {
	from := p.at
	for p.at < len(p.text) && (p.text[p.at] == '_' || p.text[p.at] >= '0' && p.text[p.at] <= '9' || p.text[p.at]|0x20 >= 'a' && p.text[p.at]|0x20 <= 'z') {
		p.at++
	}
	return p.text[from:p.at]
}

func (p *parser) primary() any {
	if p.take("'") {
		var b strings.Builder
		for {
			end := strings.IndexByte(p.text[p.at:], '\'')
			b.WriteString(p.text[p.at : p.at+end])
			p.at += end + 1
			if !p.take("'") {
				return b.String()
			}
			b.WriteByte('\'')
		}
	}
	name := p.word()
	if n, err := strconv.Atoi(name); err == nil {
		return float64(n)
	}
	if !p.take("(") {
		panic(fmt.Sprintf("%s: %q is no call", p.text, name))
	}
	var args []any
	for !p.take(")") {
		args = append(args, p.expression())
		if !p.take(", ") {
			p.take(",")
		}
	}
	return p.call(name, args)
}

func (p *parser) call(name string, args []any) any {
	switch name {
	case "parameters":
		v, ok := p.scope.parameters[args[0].(string)]
		if !ok {
			panic(fmt.Sprintf("there is no parameter %v", args[0]))
		}
		return v
	case "variables":
		return p.scope.variable(args[0].(string))
	case "copyIndex":
		return float64(p.scope.index)
	case "reference":
		return runtime(fmt.Sprint("reference(", args[0], ")"))
	}
	f, ok := known[name]
	if !ok {
		panic("the test does not know the function " + name)
	}
	return f(args)
}

// known are the functions that our templates use. Names and hashes only need to differ.
var known = map[string]func([]any) any{
	"if": func(a []any) any {
		if a[0].(bool) {
			return a[1]
		}
		return a[2]
	},
	"not":     func(a []any) any { return !a[0].(bool) },
	"and":     func(a []any) any { return !slices.Contains(a, any(false)) },
	"equals":  func(a []any) any { return reflect.DeepEqual(a[0], a[1]) },
	"empty":   func(a []any) any { return a[0] == nil || reflect.ValueOf(a[0]).Len() == 0 },
	"null":    func([]any) any { return nil },
	"length":  func(a []any) any { return float64(reflect.ValueOf(a[0]).Len()) },
	"replace": func(a []any) any { return strings.ReplaceAll(fmt.Sprint(a[0]), fmt.Sprint(a[1]), fmt.Sprint(a[2])) },
	"format": func(a []any) any {
		text := a[0].(string)
		for i, v := range a[1:] {
			text = strings.ReplaceAll(text, fmt.Sprintf("{%d}", i), fmt.Sprint(v))
		}
		return text
	},
	"createArray": func(a []any) any { return append([]any{}, a...) },
	"createObject": func(a []any) any {
		out := map[string]any{}
		for i := 0; i < len(a); i += 2 {
			out[a[i].(string)] = a[i+1]
		}
		return out
	},
	"union": func(a []any) any {
		if _, lists := a[0].([]any); lists {
			var out []any
			for _, list := range a {
				for _, v := range list.([]any) {
					if !slices.Contains(out, v) {
						out = append(out, v)
					}
				}
			}
			return out
		}
		out := map[string]any{}
		for _, m := range a {
			maps.Copy(out, m.(map[string]any))
		}
		return out
	},
	"items": func(a []any) any {
		var out []any
		m := a[0].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(m)) {
			out = append(out, map[string]any{"key": key, "value": m[key]})
		}
		return out
	},
	"coalesce": func(a []any) any {
		for _, v := range a {
			if v != nil {
				return v
			}
		}
		return nil
	},
	"tryGet": func(a []any) any {
		v := a[0]
		for _, key := range a[1:] {
			if v == nil {
				return nil
			}
			v = member(v, key)
		}
		return v
	},
	"join": func(a []any) any {
		parts := make([]string, len(a[0].([]any)))
		for i, v := range a[0].([]any) {
			parts[i] = fmt.Sprint(v)
		}
		return strings.Join(parts, a[1].(string))
	},
	"split": func(a []any) any {
		if r, ok := a[0].(runtime); ok {
			return r
		}
		var out []any
		for part := range strings.SplitSeq(a[0].(string), a[1].(string)) {
			out = append(out, part)
		}
		return out
	},
	"take":                   func(a []any) any { n, _ := number(a[1]); return a[0].(string)[:int(n)] },
	"toLower":                func(a []any) any { return strings.ToLower(a[0].(string)) },
	"guid":                   func(a []any) any { return "guid:" + joined(a) },
	"uniqueString":           func([]any) any { return "abcdefghijklm" },
	"cidrSubnet":             func(a []any) any { return "subnet:" + joined(a) },
	"resourceId":             func(a []any) any { return joined(a) },
	"extensionResourceId":    func(a []any) any { return joined(a) },
	"subscriptionResourceId": func(a []any) any { return joined(a) },
	"subscription":           func([]any) any { return map[string]any{"subscriptionId": "sub"} },
	"resourceGroup":          func([]any) any { return map[string]any{"id": "group", "location": "here"} },
	"environment": func([]any) any {
		return map[string]any{"suffixes": map[string]any{"storage": "core.windows.net"}}
	},
}

func joined(a []any) string {
	parts := make([]string, len(a))
	for i, v := range a {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, "/")
}

// member is a property of an object or an element of a list.
func member(v, key any) any {
	switch v := v.(type) {
	case runtime:
		return v + runtime(fmt.Sprint(".", key))
	case map[string]any:
		return v[key.(string)]
	case []any:
		n, _ := number(key)
		return v[int(n)]
	}
	panic(fmt.Sprintf("%T has no member %v", v, key))
}

func number(v any) (float64, bool) {
	n, ok := v.(float64)
	return n, ok
}
