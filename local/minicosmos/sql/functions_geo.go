package sql

import "slices"

var geoFunctions = map[string]*function{
	"ST_ISVALID": fixed(1, func(a []Value) Value {
		_, reason := parseShape(a[0])
		return BoolOf(reason == "")
	}),
	"ST_ISVALIDDETAILED": fixed(1, isValidDetailed),
	"ST_DISTANCE":        shapes(func(e *env, a, b *shape) Value { return NumberOf(a.distance(e, b)) }),
	"ST_WITHIN":          shapes(func(e *env, a, b *shape) Value { return BoolOf(a.within(e, b)) }),
	"ST_INTERSECTS":      shapes(func(e *env, a, b *shape) Value { return BoolOf(a.intersects(e, b)) }),
	"ST_AREA": fixed(1, func(a []Value) Value {
		s, reason := parseShape(a[0])
		if reason != "" {
			return Value{}
		}
		return finite(s.area())
	}),
}

// position is degrees of longitude and latitude.
type position struct{ lon, lat float64 }

// line is a chain of positions; a point is one with a single position.
type line []position

// polygon is an outer ring and its holes.
type polygon []line

// shape is a GeoJSON geometry: lines (and points), or polygons.
type shape struct {
	lines    []line
	polygons []polygon
}

// shapes makes a function of two valid shapes.
func shapes(f func(e *env, a, b *shape) Value) *function {
	return &function{min: 2, max: 2, in: func(e *env, args []Value) Value {
		a, bad1 := parseShape(args[0])
		b, bad2 := parseShape(args[1])
		if bad1 != "" || bad2 != "" {
			return Value{}
		}
		return f(e, a, b)
	}}
}

func isValidDetailed(a []Value) Value {
	_, reason := parseShape(a[0])
	if reason == "" {
		return ObjectOf([]string{"valid"}, []Value{BoolOf(true)})
	}
	return ObjectOf([]string{"valid", "reason"}, []Value{BoolOf(false), StringOf(reason)})
}

// parseShape reads a Point, LineString, Polygon or MultiPolygon; the reason says what is wrong with it.
func parseShape(v Value) (s *shape, reason string) {
	name, _ := v.Get("type").Str()
	at := v.Get("coordinates")
	switch s = (&shape{}); name {
	case "Point":
		p, reason := parsePosition(at)
		s.lines = []line{{p}}
		return s, reason
	case "LineString":
		l, reason := parseLine(at, 2)
		s.lines = []line{l}
		return s, reason
	case "Polygon":
		p, reason := parsePolygon(at)
		s.polygons = []polygon{p}
		return s, reason
	case "MultiPolygon":
		if at.kind != Array || len(at.items) == 0 {
			return nil, "A MultiPolygon needs an array of polygons."
		}
		for _, item := range at.items {
			p, reason := parsePolygon(item)
			if reason != "" {
				return nil, reason
			}
			s.polygons = append(s.polygons, p)
		}
		return s, ""
	}
	return nil, "The type is none of Point, LineString, Polygon and MultiPolygon."
}

func parsePosition(v Value) (p position, reason string) {
	lon, ok1 := v.At(0).Number()
	lat, ok2 := v.At(1).Number()
	switch {
	case !ok1 || !ok2:
		return p, "A position needs a longitude and a latitude."
	case !(lat >= -90 && lat <= 90): // NaN is out of range too
		return p, "Latitude values must be between -90 and 90 degrees."
	case !(lon >= -180 && lon <= 180):
		return p, "Longitude values must be between -180 and 180 degrees."
	}
	return position{lon, lat}, ""
}

func parseLine(v Value, least int) (l line, reason string) {
	if v.kind != Array || len(v.items) < least {
		return nil, "A line needs two positions, a ring four."
	}
	for _, item := range v.items {
		p, reason := parsePosition(item)
		if reason != "" {
			return nil, reason
		}
		l = append(l, p)
	}
	return l, ""
}

func parsePolygon(v Value) (p polygon, reason string) {
	if v.kind != Array || len(v.items) == 0 {
		return nil, "A polygon needs an array of rings."
	}
	for _, item := range v.items {
		ring, reason := parseLine(item, 4)
		switch {
		case reason != "":
			return nil, reason
		case ring[0] != ring[len(ring)-1]:
			return nil, "A ring must end where it starts."
		case len(slices.Compact(slices.Clone(ring))) < 4:
			return nil, "A ring needs three positions that differ."
		}
		p = append(p, ring)
	}
	return p, ""
}

// boundaries are a shape's lines and rings.
func (s *shape) boundaries() []line {
	all := slices.Clone(s.lines)
	for _, p := range s.polygons {
		all = append(all, p...)
	}
	return all
}

// parts are lines, and outer rings, one for each part of a shape that hangs together.
func (s *shape) parts() []line {
	all := slices.Clone(s.lines)
	for _, p := range s.polygons {
		all = append(all, p[0])
	}
	return all
}
