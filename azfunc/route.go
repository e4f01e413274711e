package azfunc

import (
	"errors"
	"net/url"
	"strings"
)

// segment is one part of a route between slashes: a literal or a parameter.
type segment struct {
	literal string
	param   string // not empty: a parameter of this name
	// optional: the path may end before it. Only the last segment can be.
	optional bool
}

// CheckRoute says why a route cannot be registered with HandleRoute, nil if it can.
func CheckRoute(route string) error {
	_, err := parseRoute(route)
	return err
}

// SameRoute says whether two routes that can be registered answer the same paths, or one
// those of the other, whatever the names and constraints of their parameters are. A
// literal and a parameter at one place are two routes: hosts prefer the literal.
func SameRoute(a, b string) bool {
	one, err := parseRoute(a)
	other, err2 := parseRoute(b)
	if err != nil || err2 != nil {
		return false
	}
	if len(one) > len(other) {
		one, other = other, one
	}
	if rest := other[len(one):]; len(rest) > 1 || len(rest) == 1 && !rest[0].optional {
		return false
	}
	for i, s := range one {
		if (s.param == "") != (other[i].param == "") || !strings.EqualFold(s.literal, other[i].literal) {
			return false
		}
	}
	return true
}

// Template is a route without its constraints, "api/orders/{id}" for
// "api/orders/{id:maxlength(9)}/{action?}", and the name of the parameter at its end that
// may be absent, "" if there is none.
func Template(route string) (template, optional string, err error) {
	segments, err := parseRoute(route)
	if err != nil {
		return "", "", err
	}
	var parts []string
	for _, s := range segments {
		switch {
		case s.optional:
			optional = s.param
		case s.param != "":
			parts = append(parts, "{"+s.param+"}")
		default:
			parts = append(parts, s.literal)
		}
	}
	return strings.Join(parts, "/"), optional, nil
}

// parseRoute splits a route such as "api/profiles/{id:regex(^[a-z/]{{1,9}}$)}"
// at the slashes outside braces.
func parseRoute(route string) ([]segment, error) {
	route = strings.TrimSuffix(strings.TrimPrefix(route, "/"), "/")
	if route == "" {
		return nil, errors.New("empty route")
	}
	var list []segment
	depth, start := 0, 0
	for i := 0; i <= len(route); i++ {
		if i < len(route) {
			switch route[i] {
			case '{':
				depth++
			case '}':
				depth--
			}
			if route[i] != '/' || depth > 0 {
				continue
			}
		}
		s, err := parseSegment(route[start:i])
		if err != nil {
			return nil, err
		}
		if len(list) > 0 && list[len(list)-1].optional {
			return nil, errors.New("only the last segment can be optional")
		}
		list, start = append(list, s), i+1
	}
	return list, nil
}

func parseSegment(s string) (segment, error) {
	if !strings.ContainsAny(s, "{}") {
		if s == "" {
			return segment{}, errors.New("empty segment")
		}
		return segment{literal: s}, nil
	}
	inner, ok := strings.CutPrefix(s, "{")
	if !ok || !strings.HasSuffix(inner, "}") {
		return segment{}, errors.New("a parameter must fill its segment: " + s)
	}
	inner, optional := strings.CutSuffix(inner[:len(inner)-1], "?")
	name, _, _ := strings.Cut(inner, ":")
	if name == "" || strings.ContainsAny(name, "*?={}") {
		return segment{}, errors.New("unsupported parameter: " + s)
	}
	return segment{param: name, optional: optional}, nil
}

// splitPath splits an escaped path; one trailing slash does not count.
func splitPath(escaped string) []string {
	escaped = strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/")
	return strings.Split(escaped, "/")
}

// match compares a route with the segments of a path and returns the
// parameters as name, value, name, value…, decoded.
func match(route []segment, parts []string) (values []string, ok bool) {
	if n := len(route); len(parts) == n-1 && route[n-1].optional {
		route = route[:n-1]
	}
	if len(route) != len(parts) {
		return nil, false
	}
	for i, s := range route {
		part, err := url.PathUnescape(parts[i])
		switch {
		case err != nil || part == "":
			return nil, false
		case s.param != "":
			values = append(values, s.param, part)
		case !strings.EqualFold(s.literal, part):
			return nil, false
		}
	}
	return values, true
}
