package minihost

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// route is a parsed ASP.NET route template. Literals match in any case.
type route struct {
	segments []routeSegment
}

type routeSegment struct {
	literal     string
	param       string // not empty: a parameter
	optional    bool
	catchAll    bool
	fallback    string
	hasFallback bool
	constraints []func(string) bool
}

// param is a value that a route took from a path.
type param struct{ name, value string }

func parseRoute(template string) (*route, error) {
	r := &route{}
	parts, err := splitTemplate(template)
	if err != nil {
		return nil, err
	}
	for i, part := range parts {
		s, err := parseRouteSegment(part)
		if err != nil {
			return nil, err
		}
		if (s.catchAll || s.optional) && i != len(parts)-1 {
			return nil, fmt.Errorf("%s must be the last segment", part)
		}
		r.segments = append(r.segments, s)
	}
	return r, nil
}

// splitTemplate cuts at the slashes outside braces.
func splitTemplate(template string) ([]string, error) {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(template); i++ {
		switch c := template[i]; {
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == '/' && depth == 0:
			parts = append(parts, template[start:i])
			start = i + 1
		}
	}
	if depth != 0 {
		return nil, errors.New("unbalanced braces; inside a regex constraint they are doubled")
	}
	parts = append(parts, template[start:])
	if parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return parts, nil
}

func parseRouteSegment(text string) (routeSegment, error) {
	if text == "" {
		return routeSegment{}, errors.New("empty segment")
	}
	if !strings.ContainsAny(text, "{}") {
		return routeSegment{literal: text}, nil
	}
	if text[0] != '{' || text[len(text)-1] != '}' {
		return routeSegment{}, fmt.Errorf("%s mixes text and parameters, which this local host does not support", text)
	}
	inner := text[1 : len(text)-1]
	var s routeSegment
	if trimmed := strings.TrimLeft(inner, "*"); trimmed != inner {
		s.catchAll, inner = true, trimmed
	}
	end := strings.IndexAny(inner, ":=?")
	if end < 0 {
		end = len(inner)
	}
	s.param = inner[:end]
	if s.param == "" || strings.ContainsAny(s.param, "{}/") {
		return routeSegment{}, fmt.Errorf("%s has no valid parameter name", text)
	}
	return s, s.parseRest(inner[end:])
}

// parseRest reads the constraints, default and question mark after the name.
func (s *routeSegment) parseRest(rest string) error {
	for strings.HasPrefix(rest, ":") {
		name, argument, after, err := cutConstraint(rest[1:])
		if err != nil {
			return err
		}
		c, err := constraint(name, argument)
		if err != nil {
			return err
		}
		s.constraints, rest = append(s.constraints, c), after
	}
	if value, ok := strings.CutPrefix(rest, "="); ok {
		s.fallback, s.hasFallback = value, true
		return nil
	}
	s.optional = rest == "?"
	if rest != "" && !s.optional {
		return fmt.Errorf("%q is not understood", rest)
	}
	return nil
}

// cutConstraint splits "name(argument)rest"; the argument ends at the closing
// parenthesis before the next constraint or the end.
func cutConstraint(text string) (name, argument, rest string, err error) {
	end := strings.IndexAny(text, "(:=?")
	if end < 0 {
		return text, "", "", nil
	}
	name = text[:end]
	if text[end] != '(' {
		return name, "", text[end:], nil
	}
	for i := end + 1; i < len(text); i++ {
		after := text[i+1:]
		if text[i] == ')' && (after == "" || after == "?" || after[0] == ':' || after[0] == '=') {
			return name, text[end+1 : i], text[i+1:], nil
		}
	}
	return "", "", "", fmt.Errorf("constraint %s lacks its closing parenthesis", name)
}

var wordConstraints = map[string]*regexp.Regexp{
	"alpha":    regexp.MustCompile(`(?i)^[a-z]*$`),
	"bool":     regexp.MustCompile(`(?i)^(true|false)$`),
	"guid":     regexp.MustCompile(`(?i)^[{(]?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}[)}]?$`),
	"double":   regexp.MustCompile(`^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$`),
	"required": regexp.MustCompile(`.`),
}

func constraint(name, argument string) (func(string) bool, error) {
	switch name = strings.ToLower(name); name {
	case "regex":
		return regexConstraint(argument)
	case "int", "long":
		size := map[string]int{"int": 32, "long": 64}[name]
		return func(v string) bool { _, err := strconv.ParseInt(v, 10, size); return err == nil }, nil
	case "decimal", "float":
		name = "double"
	case "maxlength", "minlength", "length", "min", "max", "range":
		return boundConstraint(name, argument)
	}
	if re := wordConstraints[name]; re != nil {
		return re.MatchString, nil
	}
	return nil, fmt.Errorf("unknown constraint %q", name)
}

// regexConstraint: doubled braces stand for single ones, and case is ignored.
func regexConstraint(pattern string) (func(string) bool, error) {
	pattern = strings.NewReplacer("{{", "{", "}}", "}").Replace(pattern)
	re, err := regexp.Compile("(?i)" + pattern)
	if err != nil {
		return nil, fmt.Errorf("regex constraint: %w (look-around and back references do not work in this local host)", err)
	}
	return re.MatchString, nil
}

func boundConstraint(name, argument string) (func(string) bool, error) {
	low, high, two := strings.Cut(argument, ",")
	a, err := strconv.ParseInt(strings.TrimSpace(low), 10, 64)
	b := a
	if err == nil && two {
		b, err = strconv.ParseInt(strings.TrimSpace(high), 10, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("constraint %s(%s): not a number", name, argument)
	}
	// .NET counts UTF-16 code units.
	length := func(v string) int64 {
		n := int64(utf8.RuneCountInString(v))
		for _, r := range v {
			if r > 0xFFFF {
				n++
			}
		}
		return n
	}
	value := func(v string) (int64, bool) { n, err := strconv.ParseInt(v, 10, 64); return n, err == nil }
	switch name {
	case "maxlength":
		return func(v string) bool { return length(v) <= a }, nil
	case "minlength":
		return func(v string) bool { return length(v) >= a }, nil
	case "length":
		return func(v string) bool { n := length(v); return n >= a && n <= b }, nil
	case "min":
		return func(v string) bool { n, ok := value(v); return ok && n >= a }, nil
	case "max":
		return func(v string) bool { n, ok := value(v); return ok && n <= a }, nil
	default:
		return func(v string) bool { n, ok := value(v); return ok && n >= a && n <= b }, nil
	}
}

// match compares the route with a decoded path without its leading slash. One
// trailing slash does not count; an empty segment matches nothing.
func (r *route) match(path string) ([]param, bool) {
	path = strings.TrimSuffix(path, "/")
	var params []param
	for i, s := range r.segments {
		if s.catchAll {
			return append(params, param{s.param, path}), s.accepts(path)
		}
		part, rest, more := strings.Cut(path, "/")
		if part == "" {
			return r.missing(params, i, path)
		}
		if more && rest == "" {
			return nil, false
		}
		if s.param == "" {
			if !strings.EqualFold(s.literal, part) {
				return nil, false
			}
		} else if !s.accepts(part) {
			return nil, false
		} else {
			params = append(params, param{s.param, part})
		}
		path = rest
	}
	return params, path == ""
}

// missing serves a path that ended before segment i: optional parameters and
// defaults fill in.
func (r *route) missing(params []param, i int, path string) ([]param, bool) {
	if path != "" {
		return nil, false
	}
	for _, s := range r.segments[i:] {
		switch {
		case s.hasFallback:
			params = append(params, param{s.param, s.fallback})
		case s.optional || s.catchAll:
		default:
			return nil, false
		}
	}
	return params, true
}

func (s routeSegment) accepts(value string) bool {
	for _, ok := range s.constraints {
		if !ok(value) {
			return false
		}
	}
	return true
}

// precedence orders routes as ASP.NET does: per segment literal, constrained
// parameter, parameter, catch-all; the smaller text wins.
func (r *route) precedence() string {
	var out []byte
	for _, s := range r.segments {
		switch {
		case s.param == "":
			out = append(out, '1')
		case s.catchAll:
			out = append(out, '5')
		case len(s.constraints) > 0:
			out = append(out, '2')
		default:
			out = append(out, '3')
		}
	}
	return string(out)
}
