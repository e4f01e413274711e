package sql

import (
	"math"
	"slices"
)

// Distances and areas are on the ellipsoid WGS-84. What is inside of what, and what
// crosses, is decided in the plane of longitude and latitude: edges are straight there,
// and none of them passes the date line. The nearest place of an edge is looked for in the
// plane around the place it is measured from.

// The ellipsoid's axis in metres, its flattening, its eccentricity squared.
const (
	majorAxis  = 6378137.0
	flattening = 1 / 298.257223563
	eccentric  = flattening * (2 - flattening)
)

func radians(degrees float64) float64 { return degrees * math.Pi / 180 }

// metres is the length of the geodesic between two positions, by Vincenty's inverse
// method where that converges.
func metres(a, b position) float64 {
	minorAxis := majorAxis * (1 - flattening)
	u1, u2 := math.Atan((1-flattening)*math.Tan(radians(a.lat))), math.Atan((1-flattening)*math.Tan(radians(b.lat)))
	sin1, cos1 := math.Sincos(u1)
	sin2, cos2 := math.Sincos(u2)
	l := radians(b.lon - a.lon)
	lambda := l
	for range 200 {
		sinL, cosL := math.Sincos(lambda)
		sinS := math.Hypot(cos2*sinL, cos1*sin2-sin1*cos2*cosL)
		if sinS == 0 {
			return 0
		}
		cosS := sin1*sin2 + cos1*cos2*cosL
		sigma := math.Atan2(sinS, cosS)
		sinA := cos1 * cos2 * sinL / sinS
		cos2A := 1 - sinA*sinA
		mid := 0.0 // on the equator
		if cos2A > 1e-15 {
			mid = cosS - 2*sin1*sin2/cos2A
		}
		c := flattening / 16 * cos2A * (4 + flattening*(4-3*cos2A))
		next := l + (1-c)*flattening*sinA*(sigma+c*sinS*(mid+c*cosS*(2*mid*mid-1)))
		if math.Abs(next-lambda) > 1e-15 && math.Abs(next-lambda) > 1e-15*math.Abs(lambda) {
			lambda = next
			continue
		}
		square := cos2A * (majorAxis*majorAxis - minorAxis*minorAxis) / (minorAxis * minorAxis)
		big := 1 + square/16384*(4096+square*(-768+square*(320-175*square)))
		small := square / 1024 * (256 + square*(-128+square*(74-47*square)))
		delta := small * sinS * (mid + small/4*(cosS*(2*mid*mid-1)-small/6*mid*(4*sinS*sinS-3)*(4*mid*mid-3)))
		return minorAxis * big * (sigma - delta)
	}
	return halfAround(a, b)
}

// halfAround is the length of the geodesic between positions that are nearly opposite: the shortest of the ways over a place
// a quarter of the globe from the first one.
func halfAround(a, b position) float64 {
	over := func(azimuth float64) float64 {
		at := a.quarter(azimuth)
		return metres(a, at) + metres(at, b)
	}
	const tries = 72
	best, step := 0.0, 2*math.Pi/tries
	for i := range tries {
		if azimuth := float64(i) * step; over(azimuth) < over(best) {
			best = azimuth
		}
	}
	for low, high := best-step, best+step; high-low > 1e-7; {
		left, right := low+(high-low)/3, high-(high-low)/3
		if over(left) < over(right) {
			high = right
		} else {
			low = left
		}
		best = (low + high) / 2
	}
	return over(best)
}

// quarter is the place a quarter of a sphere away in a direction.
func (p position) quarter(azimuth float64) position {
	sin, cos := math.Sincos(radians(p.lat))
	lat := math.Asin(cos * math.Cos(azimuth))
	lon := math.Atan2(math.Sin(azimuth)*cos, -sin*math.Sin(lat))
	return position{around(p.lon + lon*180/math.Pi), lat * 180 / math.Pi}
}

// distance is the length of the shortest way between two shapes.
func (s *shape) distance(e *env, other *shape) float64 {
	if s.intersects(e, other) {
		return 0
	}
	best := math.Inf(1)
	mine, others := s.boundaries(), other.boundaries()
	for _, pair := range [2][2][]line{{mine, others}, {others, mine}} {
		for _, l := range pair[0] {
			for _, p := range l {
				if e.budget.step() != nil {
					return best
				}
				best = min(best, p.from(e, pair[1]))
			}
		}
	}
	return best
}

// from is the distance of a position from lines.
func (p position) from(e *env, lines []line) float64 {
	best, nearest := math.Inf(1), p
	scale := math.Cos(radians(p.lat))
	for _, l := range lines {
		if e.lookAt(l) != nil {
			break
		}
		for i := range l {
			at := closest(p, l[max(0, i-1)], l[i], scale)
			if d := math.Hypot(around(at.lon-p.lon)*scale, at.lat-p.lat); d < best {
				best, nearest = d, at
			}
		}
	}
	return metres(p, nearest)
}

// around brings a difference of longitudes into a half circle.
func around(degrees float64) float64 {
	return degrees - 360*math.Round(degrees/360)
}

// closest is the place of an edge that is nearest to p in the plane around it.
func closest(p, a, b position, scale float64) position {
	ax, ay := around(a.lon-p.lon)*scale, a.lat-p.lat
	dx, dy := around(b.lon-a.lon)*scale, b.lat-a.lat
	if dx == 0 && dy == 0 {
		return a
	}
	t := min(1, max(0, -(ax*dx+ay*dy)/(dx*dx+dy*dy)))
	return position{a.lon + t*around(b.lon-a.lon), a.lat + t*dy}
}

// turn is positive if a, b, c turn left.
func turn(a, b, c position) float64 {
	return (b.lon-a.lon)*(c.lat-a.lat) - (b.lat-a.lat)*(c.lon-a.lon)
}

// onEdge tells whether p lies on the edge from a to b, both ends included.
func onEdge(p, a, b position) bool {
	return turn(a, b, p) == 0 && min(a.lon, b.lon) <= p.lon && p.lon <= max(a.lon, b.lon) && min(a.lat, b.lat) <= p.lat && p.lat <= max(a.lat, b.lat)
}

// cut tells whether two edges go through each other.
func cut(a, b, c, d position) bool {
	return turn(a, b, c)*turn(a, b, d) < 0 && turn(c, d, a)*turn(c, d, b) < 0
}

// touch tells whether two edges have a place in common.
func touch(a, b, c, d position) bool {
	return cut(a, b, c, d) || onEdge(a, c, d) || onEdge(b, c, d) || onEdge(c, a, b) || onEdge(d, a, b)
}

// side is 1 for a position inside a ring, 0 for one on it and -1 for one outside.
func (l line) side(p position) int {
	side := -1
	for i := 1; i < len(l); i++ {
		a, b := l[i-1], l[i]
		if onEdge(p, a, b) {
			return 0
		}
		if (a.lat > p.lat) != (b.lat > p.lat) && p.lon < a.lon+(p.lat-a.lat)/(b.lat-a.lat)*(b.lon-a.lon) {
			side = -side
		}
	}
	return side
}

// inner is a place inside a ring: on a parallel between two of its corners, between the first two edges there.
func (l line) inner() position {
	lats := make([]float64, len(l))
	for i, p := range l {
		lats[i] = p.lat
	}
	slices.Sort(lats)
	lats = slices.Compact(lats)
	if len(lats) == 1 {
		return l[0]
	}
	lat := (lats[0] + lats[1]) / 2
	var edges []float64
	for i := 1; i < len(l); i++ {
		if a, b := l[i-1], l[i]; (a.lat > lat) != (b.lat > lat) {
			edges = append(edges, a.lon+(lat-a.lat)/(b.lat-a.lat)*(b.lon-a.lon))
		}
	}
	slices.Sort(edges)
	return position{(edges[0] + edges[1]) / 2, lat}
}

// clockwise rings, as outer ones, stand for everything but what they surround.
func (l line) clockwise() bool {
	sum := 0.0
	for i := 1; i < len(l); i++ {
		sum += l[i-1].lon*l[i].lat - l[i].lon*l[i-1].lat
	}
	return sum < 0
}

// side is 1 inside a polygon, 0 on its edge, a hole's included, and -1 outside.
func (p polygon) side(e *env, at position) int {
	side := p[0].side(at)
	if p[0].clockwise() {
		side = -side
	}
	for _, hole := range p[1:] {
		if side < 0 || e.lookAt(hole) != nil {
			break
		}
		side = min(side, -hole.side(at))
	}
	return side
}

// side is 1 inside one of a shape's polygons, 0 on their edges or on one of its lines, and -1 outside.
func (s *shape) side(e *env, at position) int {
	side := -1
	for _, l := range s.lines {
		if e.lookAt(l) != nil {
			break
		}
		for i := range l {
			if onEdge(at, l[max(0, i-1)], l[i]) {
				side = 0
			}
		}
	}
	for _, p := range s.polygons {
		if e.lookAt(p[0]) != nil {
			break
		}
		side = max(side, p.side(e, at))
	}
	return side
}

func (s *shape) has(e *env, at position) bool { return s.side(e, at) >= 0 }

// lookAt counts what it takes to go through a line.
func (e *env) lookAt(l line) error { return e.budget.work(1 + len(l)/16) }

// meets tells whether two edges of the boundaries of two shapes do what how asks.
func (s *shape) meets(e *env, other *shape, how func(a, b, c, d position) bool) bool {
	mine, others := s.boundaries(), other.boundaries()
	for _, l := range mine {
		for i := range l {
			for _, m := range others {
				if e.lookAt(m) != nil {
					return false
				}
				for j := range m {
					if how(l[max(0, i-1)], l[i], m[max(0, j-1)], m[j]) {
						return true
					}
				}
			}
		}
	}
	return false
}

// intersects: edges touch, or a part of one is inside the other.
func (s *shape) intersects(e *env, other *shape) bool {
	inside := func(a, b *shape) bool {
		return slices.ContainsFunc(a.parts(), func(l line) bool { return b.has(e, l[0]) })
	}
	return s.meets(e, other, touch) || inside(s, other) || inside(other, s)
}

// within tells whether all of s is in other: its corners, the edges between them, and
// what they surround.
func (s *shape) within(e *env, other *shape) bool {
	if s.meets(e, other, cut) || s.aroundAll() && !other.aroundAll() {
		return false
	}
	for _, p := range other.polygons {
		for i, ring := range p {
			if (i > 0 || ring.clockwise()) && s.reaches(e, ring, other) {
				return false
			}
		}
	}
	for _, l := range s.boundaries() {
		for i, p := range l {
			if e.budget.step() != nil || !other.has(e, p) || i > 0 && !other.has(e, middle(l[i-1], p)) {
				return false
			}
		}
	}
	return true
}

// aroundAll tells whether a shape goes all around the globe.
func (s *shape) aroundAll() bool {
	return slices.ContainsFunc(s.polygons, func(p polygon) bool { return p[0].clockwise() })
}

// reaches tells whether s has a part of what a ring takes out of other; their edges do not cut each other.
func (s *shape) reaches(e *env, ring line, other *shape) bool {
	if len(s.polygons) == 0 {
		return false
	}
	for i, p := range ring {
		if s.side(e, p) > 0 || i > 0 && s.side(e, middle(ring[i-1], p)) > 0 {
			return true
		}
	}
	at := ring.inner()
	return s.side(e, at) > 0 && !other.has(e, at)
}

func middle(a, b position) position { return position{(a.lon + b.lon) / 2, (a.lat + b.lat) / 2} }

// area of all polygons in square metres.
func (s *shape) area() float64 {
	sum := 0.0
	for _, p := range s.polygons {
		for i, ring := range p {
			a := ring.area()
			switch {
			case i > 0:
				sum -= math.Abs(a)
			case a < 0:
				sum += 4*math.Pi*authalicRadius*authalicRadius + a
			default:
				sum += a
			}
		}
	}
	return sum
}

// eccentricity of the ellipsoid, and the radius of the sphere with its surface.
var (
	eccentricity   = math.Sqrt(eccentric)
	authalicRadius = majorAxis * math.Sqrt(authalic(1)/2)
)

// authalic is the sine of the latitude, times a constant, that the sphere of the same
// surface gives to the sine of a latitude.
func authalic(sin float64) float64 {
	return (1 - eccentric) * (sin/(1-eccentric*sin*sin) + math.Atanh(eccentricity*sin)/eccentricity)
}

// area is positive for a ring that turns left; its edges are great circles of the sphere.
func (l line) area() float64 {
	half := func(p position) float64 {
		return math.Tan(math.Asin(min(1, max(-1, authalic(math.Sin(radians(p.lat)))/authalic(1)))) / 2)
	}
	excess := 0.0
	for i := 1; i < len(l); i++ {
		t1, t2 := half(l[i-1]), half(l[i])
		excess -= 2 * math.Atan2(math.Tan(radians(around(l[i].lon-l[i-1].lon))/2)*(t1+t2), 1+t1*t2)
	}
	return excess * authalicRadius * authalicRadius
}
