package route

import "strings"

// Match compares the route with a decoded path without its leading slash. One
// trailing slash does not count; an empty segment matches nothing.
func (r *Route) Match(path string) ([]Param, bool) {
	path = strings.TrimSuffix(path, "/")
	var params []Param
	for i, s := range r.segments {
		if s.catchAll {
			return append(params, Param{s.param, path}), s.accepts(path)
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
			params = append(params, Param{s.param, part})
		}
		path = rest
	}
	return params, path == ""
}

// missing serves a path that ended before segment i: optional parameters and
// defaults fill in.
func (r *Route) missing(params []Param, i int, path string) ([]Param, bool) {
	if path != "" {
		return nil, false
	}
	for _, s := range r.segments[i:] {
		switch {
		case s.hasFallback:
			params = append(params, Param{s.param, s.fallback})
		case s.optional || s.catchAll:
		default:
			return nil, false
		}
	}
	return params, true
}

func (s segment) accepts(value string) bool {
	for _, ok := range s.constraints {
		if !ok(value) {
			return false
		}
	}
	return true
}

// Precedence orders routes as ASP.NET does: per segment literal, constrained
// parameter, parameter, catch-all; the smaller text wins.
func (r *Route) Precedence() string {
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
