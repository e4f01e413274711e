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
	start := time.Now()
	_, err := q.Run(ctx, nil, over([]Value{doc}), Cursor{}, wholePage)
	require.ErrorIs(t, err, context.DeadlineExceeded, "%.100s", q.Text())
	require.Less(t, time.Since(start), 5*time.Second, "%.100s", q.Text())
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

	e := &env{budget: newBudget(t.Context())}
	for i := range 1000 {
		require.NotNil(t, e.compile([]Value{StringOf("a" + strconv.Itoa(i))}))
		require.LessOrEqual(t, len(e.patterns), maxPatterns)
	}
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
	for _, text := range []string{
		"SELECT " + strings.Repeat("c.a + ", 60000) + "1 AS s FROM c GROUP BY c.a",
		"SELECT COUNT(1) AS n FROM c GROUP BY c.a" + strings.Repeat(" + c.a", 60000),
		"SELECT VALUE " + strings.Repeat("LOWER(", 150) + "c.a" + strings.Repeat(")", 150) + " FROM c GROUP BY c.a",
	} {
		start := time.Now()
		_, err := Parse(text)
		require.NoError(t, err)
		require.Less(t, time.Since(start), 5*time.Second, "%.80s", text)
	}
}

// So do parameters, whose number only the query's length bounds.
func TestParametersAreLinear(t *testing.T) {
	t.Parallel()
	names, params := make([]string, 50000), make([]Param, 50000)
	for i := range names {
		names[i] = "@p" + strconv.Itoa(i)
		params[len(params)-1-i] = Param{Name: names[i], Value: NumberOf(float64(i))}
	}
	start := time.Now()
	q, err := Parse("SELECT VALUE [" + strings.Join(names, ",") + "]")
	require.NoError(t, err)
	got, err := drain(t, q, params, nil, wholePage)
	require.NoError(t, err)
	require.Equal(t, "49999", got[0].At(49999).String())
	require.Less(t, time.Since(start), 2*time.Second)
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
	const documents, offset = 200000, 150000
	docs := make([]Value, documents)
	for i := range docs {
		docs[i] = ObjectOf([]string{"n"}, []Value{NumberOf(float64((i * 7919) % documents))}) // a permutation
	}
	for _, descending := range []bool{false, true} {
		text := fmt.Sprintf("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET %d LIMIT 5", offset)
		want := []Value{NumberOf(offset), NumberOf(offset + 1), NumberOf(offset + 2), NumberOf(offset + 3), NumberOf(offset + 4)}
		if descending {
			text = strings.Replace(text, "c.n OFFSET", "c.n DESC OFFSET", 1)
			for i := range want {
				want[i] = NumberOf(float64(documents - 1 - offset - i))
			}
		}
		q, err := Parse(text)
		require.NoError(t, err)
		start := time.Now()
		page, err := q.Run(t.Context(), nil, over(docs), Cursor{}, wholePage)
		require.NoError(t, err)
		require.Equal(t, render(want), render(page.Rows))
		require.Less(t, time.Since(start), 10*time.Second)
	}
}
