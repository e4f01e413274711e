package route

import (
	"errors"
	"fmt"
	"strings"
)

// Route is a parsed ASP.NET route template. Literals match in any case.
type Route struct {
	segments []segment
}

type segment struct {
	literal     string
	param       string // not empty: a parameter
	optional    bool
	catchAll    bool
	fallback    string
	hasFallback bool
	constraints []func(string) bool
}

// Param is a value that a route took from a path.
type Param struct{ Name, Value string }

// Parse reads a template; the error says what the real host, or this one,
// does not understand.
func Parse(template string) (*Route, error) {
	r := &Route{}
	parts, err := splitTemplate(template)
	if err != nil {
		return nil, err
	}
	for i, part := range parts {
		s, err := parseSegment(part)
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

func parseSegment(text string) (segment, error) {
	if text == "" {
		return segment{}, errors.New("empty segment")
	}
	if !strings.ContainsAny(text, "{}") {
		return segment{literal: text}, nil
	}
	if text[0] != '{' || text[len(text)-1] != '}' {
		return segment{}, fmt.Errorf("%s mixes text and parameters, which this local host does not support", text)
	}
	inner := text[1 : len(text)-1]
	var s segment
	if trimmed := strings.TrimLeft(inner, "*"); trimmed != inner {
		s.catchAll, inner = true, trimmed
	}
	end := strings.IndexAny(inner, ":=?")
	if end < 0 {
		end = len(inner)
	}
	s.param = inner[:end]
	if s.param == "" || strings.ContainsAny(s.param, "{}/") {
		return segment{}, fmt.Errorf("%s has no valid parameter name", text)
	}
	return s, s.parseRest(inner[end:])
}

// parseRest reads the constraints, default and question mark after the name.
func (s *segment) parseRest(rest string) error {
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
