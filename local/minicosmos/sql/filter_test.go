package sql

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// text writes a filter for tests: paths with [] for elements, spans as intervals.
func (f *Filter) text() string {
	if f == nil {
		return ""
	}
	var parts []string
	for _, part := range f.Of {
		parts = append(parts, part.text())
	}
	switch {
	case f.Of != nil && f.Any:
		return "(" + strings.Join(parts, " | ") + ")"
	case f.Of != nil:
		return "(" + strings.Join(parts, " & ") + ")"
	}
	for _, s := range f.Spans {
		parts = append(parts, s.text())
	}
	return strings.ReplaceAll(strings.Join(f.Path, "/"), Element, "[]") + " " + strings.Join(parts, ",")
}

func (s Span) text() string {
	if s.IsPoint() {
		return s.Low.String()
	}
	if s.Prefix {
		return s.Low.String() + "…"
	}
	text := [...]string{"any", "null", "bool", "number", "string", "array", "object"}[s.Kind]
	if s.Low.IsDefined() {
		text += map[bool]string{false: ">=", true: ">"}[s.LowOpen] + s.Low.String()
	}
	if s.High.IsDefined() {
		text += map[bool]string{false: "<=", true: "<"}[s.HighOpen] + s.High.String()
	}
	return text
}

func TestFilter(t *testing.T) {
	t.Parallel()
	for where, want := range map[string]string{
		"c.a = 1":                       "a 1",
		"1 = c.a":                       "a 1",
		"c['a']['b'] = 'x'":             `a/b "x"`,
		"c.a":                           "a true",
		"c.a = 1 AND c.b + 1 > 2":       "a 1",
		"c.a IN (1, 2) AND c.b = 3":     "(a 1,2 & b 3)",
		"3 IN (c.a, c.b)":               "(a 3 | b 3)",
		"c.a = 1 OR c.b = 2":            "(a 1 | b 2)",
		"c.a = @p":                      `a "param"`,
		"c.a = 1 OR c.b + 1 = 2":        "",
		"c.a > 1":                       "a number>1",
		"1 > c.a":                       "a number<1",
		"c.a <= 'x'":                    `a string<="x"`,
		"c.a > -5":                      "a number>-5",
		"c.a = LOWER('X')":              `a "x"`,
		"c.a > GETCURRENTTIMESTAMP()":   "",
		"c.a BETWEEN 1 AND 2":           "(a number>=1 & a number<=2)",
		"c.a = undefined":               "",
		"c.a = c.b":                     "",
		"c.a = [1]":                     "",
		"NOT c.a = 1":                   "",
		"c.a != 1":                      "",
		"STARTSWITH(c.a, 'x')":          `a "x"…`,
		"STARTSWITH(c.a, 'x', true)":    "",
		"STRINGEQUALS('x', c.a, false)": `a "x"`,
		"c.a LIKE 'ab%c'":               `a "ab"…`,
		"c.a LIKE 'ab'":                 `a "ab"`,
		"c.a LIKE 'a!%b' ESCAPE '!'":    `a "a"…`,
		"IS_DEFINED(c.a.b)":             "a/b any",
		"IS_STRING(c.a)":                "a string",
		"ARRAY_CONTAINS(c.l, 'x')":      `l/[] "x"`,
		"ARRAY_CONTAINS(c.l, {a: 1, b: [2]}, true)":           "(l/[] object & l/[]/a 1 & l/[]/b array)",
		"ARRAY_CONTAINS(['x', 1], c.a)":                       `a "x",1`,
		"ARRAY_CONTAINS_ANY(c.l, 1, 2)":                       "(l/[] 1 | l/[] 2)",
		"c.l[0] = 1":                                          "l/[] 1",
		"EXISTS (SELECT VALUE 1 FROM x IN c.l WHERE x.a = 1)": "l/[]/a 1",
		"EXISTS (SELECT VALUE x FROM x IN c.l JOIN y IN x.m WHERE y = 1 AND x.a > 2)": "(l/[]/m/[] 1 & l/[]/a number>2)",
		"EXISTS (SELECT VALUE COUNT(1) FROM x IN c.l WHERE x.a = 1)":                  "",
	} {
		q, err := Parse("SELECT * FROM c WHERE " + where)
		require.NoError(t, err, where)
		require.Equal(t, want, q.Filter([]Param{{Name: "@p", Value: StringOf("param")}}).text(), where)
	}
	for text, want := range map[string]string{
		"SELECT c.id FROM c JOIN t IN c.l WHERE t.n = 1":                                       "l/[]/n 1",
		"SELECT c.id FROM c JOIN (SELECT VALUE t FROM t IN c.l WHERE t.n = 1) x WHERE x.m = 2": "(l/[]/n 1 & l/[]/m 2)",
		"SELECT VALUE t FROM t IN c.l WHERE t > 1":                                             "l/[] number>1",
		"SELECT VALUE a FROM c.a WHERE a.b = 1":                                                "a/b 1",
		"SELECT * FROM (SELECT DISTINCT c.a FROM c) c WHERE c.a = 1":                           "",
	} {
		q, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, q.Filter(nil).text(), text)
	}
}

func TestPinned(t *testing.T) {
	t.Parallel()
	for where, want := range map[string]string{
		"c.pk = 'a'": `"a"`, "c.n > 1 AND c.pk = 'a'": `"a"`, "c.pk IN ('a')": `"a"`, "c.pk IN ('a', 'b')": "", "c.pk = 'a' OR c.pk = 'a'": "", "c.pk >= 'a'": "", "STRINGEQUALS(c.pk, 'a')": "", "c.pk LIKE 'a'": "",
	} {
		q, err := Parse("SELECT * FROM c WHERE " + where)
		require.NoError(t, err, where)
		got := ""
		if v := q.Filter(nil).Pinned([]string{"pk"}); v.IsDefined() {
			got = v.String()
		}
		require.Equal(t, want, got, where)
	}
}
