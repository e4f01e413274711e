package sql

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/test/linear"
)

// large are values that take as long as many rows, by the names of parameters.
func large() []Param {
	numbers := make([]Value, 1<<16)
	var wide objectBuilder
	for i := range numbers {
		numbers[i] = NumberOf(float64(i))
		wide.set("k"+strconv.Itoa(i), numbers[i])
	}
	return []Param{{Name: "@text", Value: StringOf(strings.Repeat("a ", 1<<20))}, {Name: "@list", Value: ArrayOf(numbers)}, {Name: "@object", Value: wide.value()}}
}

// ask runs a query over one document.
func ask(ctx context.Context, t *testing.T, text string, params []Param, doc Value) (Page, error) {
	t.Helper()
	q, err := Parse(text)
	require.NoError(t, err, "%.100s", text)
	return q.Run(ctx, params, over([]Value{doc}), Cursor{}, wholePage)
}

// TestEveryFunctionTellsItsWork: once a context has ended, a single call over something large is noticed, of whatever
// function or operator.
func TestEveryFunctionTellsItsWork(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	params := large()
	expressions := []string{
		"@text = @text", "@list != @list", "@text < @text", "@text BETWEEN @text AND @text", "1 = 2 OR @object IN (1, @object)", "@text LIKE 'b%'", "@text || @text",
		"REGEXMATCH('', '" + strings.Repeat("x{1000}", 10) + "')", "(SELECT DISTINCT VALUE @list)", "(SELECT COUNT(1) AS n FROM c GROUP BY [c.n, @list])",
		"[" + strings.Repeat("@object.none, ", 300) + "1]", "[" + strings.Repeat("@object['none'], ", 300) + "1]",
	}
	for name, fn := range functions {
		if fn.min == 0 {
			continue
		}
		for _, p := range params {
			expressions = append(expressions, name+"("+strings.Join(slices.Repeat([]string{p.Name}, fn.min), ", ")+")")
		}
	}
	doc := value(t, `{"n": 1}`)
	for _, expression := range expressions {
		_, err := ask(gone, t, "SELECT VALUE "+expression+" FROM c", params, doc)
		require.ErrorIs(t, err, context.Canceled, "%.100s", expression)
	}
	_, err := ask(gone, t, "SELECT * FROM c ORDER BY c.o", nil, ObjectOf([]string{"o"}, []Value{params[2].Value}))
	require.ErrorIs(t, err, context.Canceled)

	e := &env{budget: newBudget(gone)}
	road := &shape{lines: []line{make(line, 1<<16)}}
	road.side(e, position{1, 1})
	require.ErrorIs(t, e.budget.failed, context.Canceled, "a long line")
}

// What an expression builds is bounded before it is built, what it refers to again and again included.
func TestBuiltValuesAreBounded(t *testing.T) {
	t.Parallel()
	doc := ObjectOf([]string{"t", "n"}, []Value{StringOf(strings.Repeat("x", 1<<20)), NumberOf(1)})
	again := strings.TrimSuffix(strings.Repeat("CONCAT(c.t, ''), ", 300), ", ")
	laughs := "SELECT VALUE x8 FROM c"
	for i, last := range []string{"c.n", "x1", "x2", "x3", "x4", "x5", "x6", "x7"} {
		laughs += fmt.Sprintf(" JOIN (SELECT VALUE [%s]) x%d", strings.TrimSuffix(strings.Repeat(last+", ", 10), ", "), i+1)
	}
	for _, text := range []string{
		"SELECT VALUE [" + again + "] FROM c",
		"SELECT VALUE {a: " + strings.ReplaceAll(again, "), ", "), a: ") + "} FROM c",
		"SELECT " + again + " FROM c",
		"SELECT VALUE ARRAY_CONTAINS_ANY([1], " + again + ") FROM c",
		"SELECT VALUE c.n FROM c GROUP BY c.n, " + again,
		"SELECT VALUE [" + again + "] FROM c GROUP BY c.t",
		"SELECT VALUE c.t" + strings.Repeat(" || c.t", 10) + " FROM c",
		"SELECT VALUE 1 FROM c WHERE c.t" + strings.Repeat(" || c.t", 10) + " = 'x'",
		laughs,
	} {
		page, err := ask(t.Context(), t, text, nil, doc)
		require.ErrorIs(t, err, ErrMemory, "%.60s: %d rows", text, len(page.Rows))
	}
	page, err := ask(t.Context(), t, "SELECT VALUE [c, c, c.t || c.t, CONCAT(c.t, '')] FROM c", nil, doc)
	require.NoError(t, err)
	require.Greater(t, len(page.Rows[0].String()), 4<<20)

	counts, docs := "COUNT(1) AS n0", make([]Value, 300)
	for i := range docs {
		counts += ", COUNT(1) AS n" + strconv.Itoa(i+1)
		docs[i] = ObjectOf([]string{"n"}, []Value{NumberOf(float64(i))})
	}
	q, err := Parse("SELECT " + strings.Repeat(counts+", ", 10) + "c.n FROM c GROUP BY c.n")
	require.NoError(t, err)
	_, err = q.Run(t.Context(), nil, over(docs), Cursor{}, wholePage)
	require.ErrorIs(t, err, ErrMemory, "aggregates of many groups")
}

// A string that is too large ends the run with the name of what makes it: it is not undefined, which looks like an answer.
func TestLargeStringsAreRefused(t *testing.T) {
	t.Parallel()
	doc := ObjectOf([]string{"t", "l"}, []Value{
		StringOf(strings.Repeat("x", 1<<20)),
		ArrayOf([]Value{StringOf(strings.Repeat("a", 1<<20)), StringOf(strings.Repeat("b", 1<<20))}),
	})
	for name, text := range map[string]string{
		"CONCAT":     "CONCAT(c.t" + strings.Repeat(", c.t", 8) + ")",
		"REPLACE":    "REPLACE(c.t, 'x', 'twelve bytes')",
		"STRINGJOIN": "STRINGJOIN(c.l, CONCAT(c.t" + strings.Repeat(", c.t", 6) + "))",
		"||":         "c.t" + strings.Repeat(" || c.t", 8),
	} {
		_, err := ask(t.Context(), t, "SELECT VALUE "+text+" FROM c", nil, doc)
		require.ErrorIs(t, err, ErrMemory, name)
		require.ErrorContains(t, err, name+" makes a string of more than 8 MB")
	}
	for text, want := range map[string]int{
		"CONCAT(c.t, c.t, c.t)": 3 << 20, "REPLACE(c.t, 'x', 'abc')": 3 << 20, "STRINGJOIN(c.l, c.t)": 3 << 20,
		"REPLACE(c.t, 'x', '')": 0, "STRINGJOIN([], c.t)": 0,
	} {
		page, err := ask(t.Context(), t, "SELECT VALUE LENGTH("+text+") FROM c", nil, doc)
		require.NoError(t, err, text)
		require.Equal(t, strconv.Itoa(want), page.Rows[0].String(), text)
	}
	page, err := ask(t.Context(), t, "SELECT VALUE CONCAT(c.t"+strings.Repeat(", c.t", 8)+", 1) FROM c", nil, doc)
	require.NoError(t, err)
	require.Empty(t, page.Rows, "it is undefined whatever its size")
}

// Weights are sums that are made once, and stay numbers whatever is built of itself.
func TestWeights(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{`1`: 81, `"é"`: 82, `[]`: 80, `{}`: 80, `[1,"a"]`: 80 + 81 + 81, `{"ab":[null]}`: 80 + 18 + 160} {
		require.Equal(t, want, value(t, text).weight(), text)
	}
	v := NumberOf(1)
	for range 100 {
		v = ArrayOf([]Value{v, v, v})
		require.Positive(t, v.weight())
	}
	require.LessOrEqual(t, v.weight(), maxWeight)
}

// The constants of a filter are worked out before the query runs, without its context: in time linear in its text, and
// not at all where that takes long. Then the filter says nothing of them.
func TestPlanningIsBounded(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		size int
		text func(n int) string
	}{
		"a list": {1000, func(n int) string {
			return "(" + strings.Repeat("1+", n) + "1) IN (c.a" + strings.Repeat(", c.a", n) + ")"
		}},
		"a path":  {3000, func(n int) string { return "c" + strings.Repeat(".a", n) + " = 1" }},
		"indexes": {3000, func(n int) string { return "c" + strings.Repeat("['a']", n) + " = 1" }},
	} {
		linear.Check(t, name, row.size, func(size int) func() {
			q, err := Parse("SELECT * FROM c WHERE " + row.text(size))
			require.NoError(t, err)
			return func() { q.Filter(nil) }
		})
	}
	for where, says := range map[string]bool{
		"c.a = UPPER('x')": true, "c.a = [" + strings.Repeat("UPPER(@text), ", 20) + "1][20]": false,
		"c" + strings.Repeat(".a", MaxDepth) + " = 1": true, "c" + strings.Repeat(".a", MaxDepth+1) + " = 1": false,
	} {
		q, err := Parse("SELECT * FROM c WHERE " + where)
		require.NoError(t, err)
		require.Equal(t, says, q.Filter(large()) != nil, "%.60s", where)
	}
}

// A condition is decided while others wait: it ends by itself.
func TestMatchesIsBounded(t *testing.T) {
	t.Parallel()
	list := make([]Value, 200)
	for i := range list {
		list[i] = NumberOf(float64(i))
	}
	doc := ObjectOf([]string{"l", "t"}, []Value{ArrayOf(list), StringOf(strings.Repeat("a", 1<<20))})
	for condition, want := range map[string]error{
		"FROM c WHERE EXISTS(SELECT 1 FROM x IN c.l JOIN y IN c.l JOIN z IN c.l WHERE x = -1)":                          ErrEffort,
		"FROM (SELECT TOP 1 VALUE c FROM c JOIN x IN c.l JOIN y IN c.l JOIN z IN c.l WHERE x = -1) d":                   ErrEffort,
		"FROM c WHERE c.t LIKE '%" + strings.Repeat("a", 1<<14) + "b'":                                                  ErrEffort,
		"FROM c WHERE ARRAY_CONTAINS(c.l, 199) AND STARTSWITH(c.t, 'a') AND EXISTS(SELECT 1 FROM x IN c.l WHERE x = 7)": nil,
	} {
		q, err := Parse("SELECT * " + condition)
		require.NoError(t, err)
		holds, err := q.Matches(doc)
		require.ErrorIs(t, err, want, "%.60s", condition)
		require.Equal(t, want == nil, holds, "%.60s", condition)
	}
}

// A page that is full, or all that TOP asks for, ends the rows of a document; a set to trim is looked into, and a phrase looked
// for, in time linear in both.
func TestRowsEndWithTheirPage(t *testing.T) {
	t.Parallel()
	for text, limits := range map[string]Limits{
		"SELECT TOP 1 VALUE x FROM c JOIN x IN c.l JOIN y IN c.l": wholePage,
		"SELECT VALUE x FROM c JOIN x IN c.l JOIN y IN c.l":       {Rows: 10, Bytes: 1 << 20, Looked: 10},
		"SELECT VALUE x FROM c JOIN y IN c.l JOIN x IN c.l":       {Rows: 10, Bytes: 1 << 20, Looked: 10, Eager: true},
		"SELECT VALUE LENGTH(TRIM(c.s, c.set)) FROM c":            wholePage,
		"SELECT VALUE FULLTEXTCONTAINS(c.w, c.p) FROM c":          wholePage,
	} {
		linear.Check(t, text, 500, func(size int) func() {
			list := make([]Value, size)
			for i := range list {
				list[i] = NumberOf(float64(i))
			}
			long := func(s, end string) Value { return StringOf(strings.Repeat(s, 20*size) + end) }
			doc := ObjectOf([]string{"l", "s", "set", "w", "p"}, []Value{ArrayOf(list), long("é", ""), long("ü", "é"), long("a a ", ""), long("a ", "b")})
			q, err := Parse(text)
			require.NoError(t, err)
			return func() {
				page, err := q.Run(t.Context(), nil, over([]Value{doc}), Cursor{}, limits)
				require.NoError(t, err)
				require.NotEmpty(t, page.Rows)
			}
		})
	}
	for _, c := range []struct {
		text, phrase string
		want         int
	}{{"a b a b a", "a b a", 2}, {"a a a a", "a a", 3}, {"a b", "a b c", 0}, {"a b", "", 0}, {"x a a b a a a b", "a a b", 2}, {"a b c", "b c", 1}} {
		require.Equal(t, c.want, countPhrase(words(c.text), words(c.phrase)), c.text)
	}
}
