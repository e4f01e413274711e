package sql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ringOf is a closed square ring from a corner to the opposite one, to the left unless a < b is turned round.
func ringOf(west, south, east, north float64) string {
	return fmt.Sprintf("[[%[1]g, %[2]g], [%[3]g, %[2]g], [%[3]g, %[4]g], [%[1]g, %[4]g], [%[1]g, %[2]g]]", west, south, east, north)
}

// clockwiseOf is the same ring the other way round.
func clockwiseOf(west, south, east, north float64) string {
	return fmt.Sprintf("[[%[1]g, %[2]g], [%[1]g, %[4]g], [%[3]g, %[4]g], [%[3]g, %[2]g], [%[1]g, %[2]g]]", west, south, east, north)
}

func polygonOf(rings ...string) string {
	return `{type: "Polygon", coordinates: [` + strings.Join(rings, ", ") + `]}`
}

func multiOf(rings ...string) string {
	return `{type: "MultiPolygon", coordinates: [[` + strings.Join(rings, "], [") + `]]}`
}

func pointOf(lon, lat float64) string {
	return fmt.Sprintf(`{type: "Point", coordinates: [%g, %g]}`, lon, lat)
}

// All parts of a shape count, a hole's edge belongs to its polygon, and a clockwise ring stands for what is around it.
func TestShapesWithParts(t *testing.T) {
	t.Parallel()
	square, tiny := polygonOf(ringOf(0, 0, 4, 4)), polygonOf(ringOf(1.5, 1.5, 2, 2))
	holed := polygonOf(ringOf(0, 0, 4, 4), ringOf(1, 1, 3, 3))
	inverse := polygonOf(clockwiseOf(0, 0, 4, 4))
	islands := multiOf(ringOf(50, 50, 51, 51), ringOf(-1, -1, 9, 9))
	lakeland := `{type: "MultiPolygon", coordinates: [[` + ringOf(0, 0, 4, 4) + ", " + ringOf(1, 1, 3, 3) + `], [` + ringOf(1.4, 1.4, 2.4, 2.4) + `]]}`
	edge := `{type: "LineString", coordinates: [[1, 1], [3, 1]]}`
	for expression, want := range map[string]string{
		"ST_INTERSECTS(" + islands + ", " + square + ")": "true", "ST_INTERSECTS(" + square + ", " + islands + ")": "true", "ST_DISTANCE(" + islands + ", " + square + ")": "0", "ST_DISTANCE(" + tiny + ", " + islands + ")": "0",
		"ST_INTERSECTS(" + multiOf(ringOf(50, 50, 51, 51), ringOf(1, 1, 2, 2)) + ", " + square + ")": "true", "ST_INTERSECTS(" + multiOf(ringOf(50, 50, 51, 51), ringOf(1.5, 1.5, 2, 2)) + ", " + holed + ")": "false",
		"ST_INTERSECTS(" + inverse + ", " + tiny + ")": "false", "ST_INTERSECTS(" + inverse + ", " + islands + ")": "true",
		"ST_WITHIN(" + pointOf(1, 2) + ", " + holed + ")": "true", "ST_WITHIN(" + pointOf(1, 1) + ", " + holed + ")": "true", "ST_WITHIN(" + pointOf(1.1, 2) + ", " + holed + ")": "false", "ST_WITHIN(" + edge + ", " + holed + ")": "true",
		"ST_WITHIN(" + pointOf(0, 2) + ", " + inverse + ")": "true", "ST_INTERSECTS(" + edge + ", " + holed + ")": "true", "ST_DISTANCE(" + pointOf(1, 2) + ", " + holed + ")": "0",
		"ST_WITHIN(" + holed + ", " + holed + ")": "true", "ST_WITHIN(" + holed + ", " + square + ")": "true", "ST_WITHIN(" + square + ", " + holed + ")": "false", "ST_WITHIN(" + inverse + ", " + inverse + ")": "true",
		"ST_WITHIN(" + polygonOf(ringOf(1, 1, 3, 3)) + ", " + holed + ")": "false", "ST_WITHIN(" + holed + ", " + polygonOf(ringOf(0, 0, 4, 4), ringOf(1.5, 1.5, 2.5, 2.5)) + ")": "true",
		"ST_WITHIN(" + polygonOf(ringOf(0, 0, 4, 4), ringOf(1.5, 1.5, 2.5, 2.5)) + ", " + holed + ")": "false", "ST_WITHIN(" + lakeland + ", " + lakeland + ")": "true", "ST_WITHIN(" + tiny + ", " + lakeland + ")": "true",
		"ST_WITHIN(" + inverse + ", " + polygonOf(ringOf(-9, -9, 9, 9)) + ")": "false", "ST_WITHIN(" + polygonOf(ringOf(-9, -9, 9, 9)) + ", " + inverse + ")": "false", "ST_WITHIN(" + polygonOf(clockwiseOf(-1, -1, 5, 5)) + ", " + inverse + ")": "true",
		"ST_ISVALID({type: 'Point', coordinates: [NaN, 0]})": "false", "ST_ISVALID({type: 'Point', coordinates: [0, NaN]})": "false", "ST_ISVALID({type: 'Point', coordinates: [0, Infinity]})": "false", "ST_DISTANCE({type: 'Point', coordinates: [0, NaN]}, " + square + ")": "",
		// Distances of nearly opposite places: GeographicLib's.
		"ROUND(ST_DISTANCE(" + pointOf(0, 0) + ", " + pointOf(180, 0) + "), 2)": "20003931.46", "ROUND(ST_DISTANCE(" + pointOf(0, 0) + ", " + pointOf(179.5, 0.5) + "), 2)": "19936288.58",
		"ROUND(ST_DISTANCE(" + pointOf(0, 0) + ", " + pointOf(179.7, 0.5) + "), 2)": "19944127.42", "ROUND(ST_DISTANCE(" + pointOf(0, 30) + ", " + pointOf(180, -30) + "), 2)": "20003931.46",
	} {
		require.Equal(t, want, eval(t, expression), expression)
	}
}

// One call over a shape of many parts is ended by the context.
func TestShapesAreBounded(t *testing.T) {
	t.Parallel()
	field := func(holes int, west float64) string {
		rings := []string{ringOf(west, -45, west+60, 45)}
		for i := range holes {
			x, y := west+1+float64(i%100)/2, float64(i/100)-40
			rings = append(rings, ringOf(x, y, x+0.25, y+0.5))
		}
		return strings.NewReplacer("type", `"type"`, "coordinates", `"coordinates"`).Replace(polygonOf(rings...))
	}
	doc := value(t, `{"a":`+field(8000, -170)+`,"b":`+field(8000, 20)+`}`)
	for _, call := range []string{"ST_WITHIN(c.a, c.a)", "ST_WITHIN(c.a, c.b)", "ST_DISTANCE(c.a, c.b)", "ST_INTERSECTS(c.a, c.b)"} {
		ended(t, call, doc)
	}
}
