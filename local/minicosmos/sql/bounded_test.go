package sql

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/test/linear"
)

// ended runs an expression over one document until a context of 200 ms ends it.
func ended(t *testing.T, expression string, doc Value) {
	q, err := Parse("SELECT VALUE " + expression + " FROM c")
	require.NoError(t, err)
	endedRun(t, q, doc)
}

func endedRun(t *testing.T, q *Query, doc Value) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	atOnce(t, q.Text(), func() {
		_, err := q.Run(ctx, nil, over([]Value{doc}), Cursor{}, wholePage)
		require.ErrorIs(t, err, context.DeadlineExceeded, "%.100s", q.Text())
	})
}

// atOnce fails when something takes a minute: without its bound it would take several, with it a moment, on a machine
// that is at work with the race detector some seconds.
func atOnce(t *testing.T, name string, what func()) {
	start := time.Now()
	what()
	require.Less(t, time.Since(start), time.Minute, "%.100s", name)
}

// A regular expression that could take minutes on a text is refused, and no query keeps many of them.
func TestPatternsAreBounded(t *testing.T) {
	t.Parallel()
	text := StringOf(strings.Repeat("x", 2<<20))
	for _, pattern := range []string{"(x?){200}x{200}y", "(((x?){10}){10}){9}y"} {
		for _, call := range []string{"REGEXMATCH(c.t, @p)", "REGEXEXTRACT(c.t, @p)", "REGEXEXTRACTALL(c.t, @p)"} {
			q, err := Parse("SELECT VALUE " + call + " FROM c")
			require.NoError(t, err)
			_, err = drain(t, q, []Param{{Name: "@p", Value: StringOf(pattern)}}, []Value{ObjectOf([]string{"t"}, []Value{text})}, wholePage)
			require.ErrorIs(t, err, ErrPattern)
		}
	}
	ended(t, "REGEXEXTRACTALL(c.t, 'a.*b|a')", ObjectOf([]string{"t"}, []Value{StringOf(strings.Repeat("a", 1<<20))}))
	ended(t, "c.t LIKE c.p", ObjectOf([]string{"t", "p"}, []Value{StringOf(strings.Repeat("a", 1<<20)), StringOf("%" + strings.Repeat("a", 1<<18) + "b")}))
	require.Equal(t, `["a1","a2","a3"]`, eval(t, `REGEXEXTRACTALL("a1 a2 a3", "\\ba[0-9]\\b")`))
	atOnce(t, "brackets", func() { require.Len(t, parseLike([]rune(strings.Repeat("[", 1<<20)), nil), 1<<20) })

	e := &env{budget: newBudget(t.Context())}
	for i := range 1000 {
		require.NotNil(t, e.compile([]Value{StringOf("a" + strconv.Itoa(i))}))
		require.LessOrEqual(t, len(e.patterns), maxPatterns)
	}
}

// LIKE is ended while one % looks through a long pattern: its work is told as what it is.
func TestLikeTellsItsWork(t *testing.T) {
	t.Parallel()
	const long = 1 << 14
	text, pattern := strings.Repeat("a", 2*long), "%"+strings.Repeat("a", long)+"b"
	calls, rows, most := 0, 0, 0
	require.False(t, like(text, pattern, "", func(n int) error {
		calls, rows, most = calls+1, rows+n, max(most, n)
		if rows > 16*long {
			return context.Canceled
		}
		return nil
	}))
	require.InDelta(t, 3*long/comparedPerStep, most, 2, "a character and the two ends of its set")
	require.Equal(t, 16*long/most+1, calls)
	require.True(t, like("[x]y", "_x]y", "", func(int) error { return nil }))
	require.True(t, like("[xy", "[x_", "", func(int) error { return nil }), "a bracket that is never closed is itself")
}

// One call with many terms, or over wide values, is ended by the context.
func TestCallsAreBounded(t *testing.T) {
	t.Parallel()
	terms, numbers := make([]string, 60000), make([]string, 60000)
	for i := range terms {
		terms[i], numbers[i] = fmt.Sprintf("'%d'", i), strconv.Itoa(i)
	}
	text := StringOf(strings.Repeat("Word wörd ", 1<<17))
	list := make([]Value, 1<<17)
	for i := range list {
		list[i] = NumberOf(-1)
	}
	doc := ObjectOf([]string{"t", "l"}, []Value{text, ArrayOf(list)})
	for _, name := range []string{"CONTAINS_ANY_CI", "CONTAINS_ANY_CS", "FULLTEXTCONTAINSANY"} {
		ended(t, name+"(c.t, "+strings.Join(terms, ",")+")", doc)
	}
	ended(t, "ARRAY_CONTAINS_ANY(c.l, "+strings.Join(numbers, ",")+")", doc)
	q, err := Parse("SELECT * FROM c ORDER BY RANK FullTextScore(c.t, " + strings.Join(terms[:900], ",") + ")")
	require.NoError(t, err)
	endedRun(t, q, doc)

	var one, other objectBuilder
	for i := range 1 << 17 {
		one.set(strconv.Itoa(i), NumberOf(1))
		other.set(strconv.Itoa(1<<17-i-1), NumberOf(1))
	}
	doc = ObjectOf([]string{"a", "b"}, []Value{one.value(), other.value()})
	q, err = Parse("SELECT VALUE [c.a = c.b, ARRAY_CONTAINS([c.a], c.b, true), ARRAY_CONTAINS([c.b, 1], c.a)] FROM c")
	require.NoError(t, err)
	got, err := drain(t, q, nil, []Value{doc}, wholePage)
	require.NoError(t, err)
	require.Equal(t, "[true,true,true]", got[0].String())
}

// Parsing takes as long as the text is, whatever is grouped.
func TestParsingIsLinear(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		size int
		text func(size int) string
	}{
		"a column": {2000, func(n int) string { return "SELECT " + strings.Repeat("c.a + ", n) + "1 AS s FROM c GROUP BY c.a" }},
		"a group":  {2000, func(n int) string { return "SELECT COUNT(1) AS n FROM c GROUP BY c.a" + strings.Repeat(" + c.a", n) }},
		"depth": {9, func(n int) string {
			return "SELECT VALUE " + strings.Repeat("LOWER(", n) + "c.a" + strings.Repeat(")", n) + " FROM c GROUP BY c.a"
		}},
	} {
		linear.Check(t, name, row.size, func(size int) func() {
			text := row.text(size)
			return func() {
				_, err := Parse(text)
				require.NoError(t, err)
			}
		})
	}
}

// So do parameters, whose number only the query's length bounds.
func TestParametersAreLinear(t *testing.T) {
	t.Parallel()
	linear.Check(t, "parameters", 2000, func(size int) func() {
		names, params := make([]string, size), make([]Param, size)
		for i := range names {
			names[i] = "@p" + strconv.Itoa(i)
			params[size-1-i] = Param{Name: names[i], Value: NumberOf(float64(i))}
		}
		text := "SELECT VALUE [" + strings.Join(names, ",") + "]"
		return func() {
			q, err := Parse(text)
			require.NoError(t, err)
			got, err := drain(t, q, params, nil, wholePage)
			require.NoError(t, err)
			require.Equal(t, strconv.Itoa(size-1), got[0].At(size-1).String())
		}
	})
}

// A group holds what GROUP BY reads of its first document, and where that is not known the document, within the bound.
func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	const documents, size = 600, 256 << 10 // 150 MB
	text := StringOf(strings.Repeat("x", size))
	src := func(from uint64) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			for i := range documents {
				list := ArrayOf([]Value{NumberOf(float64(i))})
				doc := ObjectOf([]string{"n", "o", "list", "text"}, []Value{NumberOf(float64(i)), ObjectOf([]string{"a"}, []Value{StringOf("b")}), list, text})
				if !yield(Item{Number: uint64(i + 1), Doc: doc}, nil) {
					return
				}
			}
		}
	}
	for text, want := range map[string]error{
		"SELECT c.n, COUNT(1) AS k FROM c GROUP BY c.n":                       nil,
		"SELECT c.n, c.o.a, c.n + 1 AS m FROM c GROUP BY c.n, c.o.a":          nil,
		"SELECT VALUE c.n + 1 FROM c GROUP BY c.n + 1, LOWER(c.o.a)":          nil,
		"SELECT t, COUNT(1) AS k FROM c JOIN t IN c.list GROUP BY t":          ErrMemory,
		"SELECT c.n, LENGTH(c.text) AS l FROM c GROUP BY c.n, LENGTH(c.text)": ErrMemory,
		"SELECT VALUE (SELECT VALUE COUNT(1) FROM t IN c.list) FROM c":        nil,
	} {
		q, err := Parse(text)
		require.NoError(t, err, text)
		page, err := q.Run(t.Context(), nil, src, Cursor{}, Limits{Rows: documents, Bytes: 1 << 30, Looked: documents})
		require.ErrorIs(t, err, want, text)
		if want == nil {
			require.Len(t, page.Rows, documents, text)
			require.NotContains(t, page.Rows[documents-1].String(), "{}", text)
		}
	}
}

// What OFFSET passes over costs its sorting, not its square.
func TestOffsetsAreSorted(t *testing.T) {
	t.Parallel()
	for order, descending := range map[string]bool{"ASC": false, "DESC": true} {
		linear.Check(t, order, 2500, func(documents int) func() {
			docs := make([]Value, documents)
			for i := range docs {
				docs[i] = ObjectOf([]string{"n"}, []Value{NumberOf(float64((i * 7919) % documents))}) // a permutation
			}
			offset := documents * 3 / 4
			want := make([]Value, 5)
			for i := range want {
				want[i] = NumberOf(float64(offset + i))
				if descending {
					want[i] = NumberOf(float64(documents - 1 - offset - i))
				}
			}
			q, err := Parse(fmt.Sprintf("SELECT VALUE c.n FROM c ORDER BY c.n %s OFFSET %d LIMIT 5", order, offset))
			require.NoError(t, err)
			return func() {
				page, err := q.Run(t.Context(), nil, over(docs), Cursor{}, wholePage)
				require.NoError(t, err)
				require.Equal(t, render(want), render(page.Rows))
			}
		})
	}
}
