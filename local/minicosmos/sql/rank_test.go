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

// Scores that are equal share a place, and the next place follows at once, so that what does not tell rows apart does not count.
func TestEqualScoresShareAPlace(t *testing.T) {
	t.Parallel()
	var docs []Value
	for i := range 46 {
		docs = append(docs, value(t, fmt.Sprintf(`{"id":"%d","t":"a common word","v":[%d,10]}`, i, i)))
	}
	for order, want := range map[string]string{
		"RRF(FullTextScore(c.t, 'rare'), VectorDistance(c.v, [1, 0]))":                                                  `["45","44","43","42","41","40"]`,
		"RRF(VectorDistance(c.v, [1, 0]), FullTextScore(c.t, 'common'), [1, 9])":                                        `["45","44","43","42","41","40"]`,
		"RRF(FullTextScore(c.t, 'rare'), VectorDistance(c.v, [1, 0]), [-1, -1])":                                        `["0","1","2","3","4","5"]`,
		"RRF(FullTextScore(c.t, 'rare'), VectorDistance(c.v, [1, 0]), [+1, -0.5])":                                      `["0","1","2","3","4","5"]`,
		"RRF(VectorDistance(c.v, [1, 0]), VectorDistance(c.v, [0, 1]), [2, -1])":                                        `["45","44","43","42","41","40"]`,
		"RRF(VectorDistance(c.v, [1, 0]), VectorDistance(c.v, [0, 1]), [-2, 1])":                                        `["0","1","2","3","4","5"]`,
		"RRF(VectorDistance(c.v, [1, 0]), VectorDistance(c.v, [0, 1], true, {distanceFunction: 'euclidean'}), [-1, 0])": `["0","1","2","3","4","5"]`,
	} {
		q, err := Parse("SELECT TOP 6 VALUE c.id FROM c ORDER BY RANK " + order)
		require.NoError(t, err, order)
		got, err := drain(t, q, nil, docs, wholePage)
		require.NoError(t, err)
		require.Equal(t, want, ArrayOf(got).String(), order)
	}
}

// A row without a score comes last whatever the sign of its weight.
func TestNoScoreComesLast(t *testing.T) {
	t.Parallel()
	docs := []Value{value(t, `{"id":"none"}`), value(t, `{"id":"far","t":"a word","v":[0,1]}`), value(t, `{"id":"near","t":"a word","v":[1,0]}`)}
	for order, want := range map[string]string{
		"RANK RRF(FullTextScore(c.t, 'word'), VectorDistance(c.v, [1, 0]))":           `["near","far","none"]`,
		"VectorDistance(c.v, [1, 0])":                                                 `["near","far","none"]`,
		"VectorDistance(c.v, [1, 0], true, {distanceFunction: 'euclidean'})":          `["near","far","none"]`,
		"RANK VectorDistance(c.v, [1, 0], true, {distanceFunction: 'euclidean'})":     `["near","far","none"]`,
		"VectorDistance(c.v, [1, 0], true, {distanceFunction: 'dotproduct'})":         `["near","far","none"]`,
		"RANK RRF(FullTextScore(c.t, 'word'), VectorDistance(c.v, [1, 0]), [-1, -1])": `["far","near","none"]`,
	} {
		q, err := Parse("SELECT VALUE c.id FROM c ORDER BY " + order)
		require.NoError(t, err, order)
		got, err := drain(t, q, nil, docs, Limits{Rows: 2, Bytes: 1 << 20, Looked: 10})
		require.NoError(t, err)
		require.Equal(t, want, ArrayOf(got).String(), order)
	}
}

// padded are documents of about a KB each, made as they are asked for.
func padded(n int) Source {
	padding := strings.Repeat("x", 1000)
	return func(from uint64) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			for i := max(from, 1); i <= uint64(n); i++ {
				doc := ObjectOf([]string{"n", "t", "v", "p"}, []Value{NumberOf(float64(i)), StringOf("a common word"), ArrayOf([]Value{NumberOf(float64(i)), NumberOf(1)}), StringOf(padding)})
				if !yield(Item{Number: i, Doc: doc}, nil) {
					return
				}
			}
		}
	}
}

// What TOP or LIMIT leaves out is not held: 80,000 documents of a KB are more than a query may hold.
func TestLeftOutIsNotHeld(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT VALUE g.n FROM (SELECT TOP 2 * FROM c) g":                                                                            "[1,2]",
		"SELECT VALUE g.n FROM (SELECT * FROM c OFFSET 79999 LIMIT 9) g":                                                             "[80000]",
		"SELECT VALUE g.n FROM (SELECT DISTINCT TOP 2 VALUE c FROM c) g":                                                             "[1,2]",
		"SELECT VALUE g.n FROM (SELECT TOP 3 * FROM c ORDER BY c.n DESC) g":                                                          "[80000,79999,79998]",
		"SELECT VALUE g.n FROM (SELECT TOP 2 * FROM c ORDER BY RANK RRF(FullTextScore(c.t, 'word'), VectorDistance(c.v, [1, 0]))) g": "[80000,79999]",
		"SELECT VALUE r.n FROM (SELECT TOP 3 * FROM c ORDER BY RANK FullTextScore(c.t, 'word')) r WHERE r.n > 1":                     "[2,3]",
	} {
		q, err := Parse(text)
		require.NoError(t, err, text)
		page, err := q.Run(context.Background(), nil, padded(80000), Cursor{}, wholePage)
		require.NoError(t, err, text)
		require.Equal(t, want, ArrayOf(page.Rows).String(), text)
		require.Nil(t, page.Next)
	}
	q, err := Parse("SELECT TOP 10 * FROM c ORDER BY RANK RRF(FullTextScore(c.t, 'word'), VectorDistance(c.v, [1, 0]))")
	require.NoError(t, err)
	page, err := q.Run(context.Background(), nil, padded(80000), Cursor{}, Limits{Rows: 4, Bytes: 1 << 20, Looked: 1})
	require.NoError(t, err)
	require.Len(t, page.Rows, 4)
	require.Equal(t, &Cursor{Seen: 4}, page.Next)
	require.Equal(t, 80000, page.Looked)
	page, err = q.Run(context.Background(), nil, padded(80000), Cursor{Seen: 4}, Limits{Rows: 100, Bytes: 5000, Looked: 1})
	require.NoError(t, err)
	require.Less(t, len(page.Rows), 6, "the page holds 5,000 bytes")
	require.Equal(t, "79996", page.Rows[0].Get("n").String())
	require.Equal(t, &Cursor{Seen: 4 + len(page.Rows)}, page.Next)
}

// A derived query stops where its TOP is reached, and its metric counts documents, not rows.
func TestDerivedLooksAtNoMore(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"SELECT * FROM (SELECT TOP 2 * FROM c) g":                           2,
		"SELECT * FROM (SELECT DISTINCT c.t FROM c) g":                      500,
		"SELECT * FROM (SELECT TOP 5 * FROM c) g WHERE g.n > 3":             5,
		"SELECT g.n FROM (SELECT TOP 2 * FROM (SELECT TOP 4 * FROM c) d) g": 4,
	} {
		q, err := Parse(text)
		require.NoError(t, err, text)
		page, err := q.Run(context.Background(), nil, padded(500), Cursor{}, wholePage)
		require.NoError(t, err, text)
		require.Equal(t, want, page.Looked, text)
	}
}

// What scores are made of counts against the memory that a query may hold, and terms are limited.
func TestScoresAreHeld(t *testing.T) {
	t.Parallel()
	terms := func(n int) []Param {
		list := make([]Value, n)
		for i := range list {
			list[i] = StringOf("term" + strconv.Itoa(i))
		}
		return []Param{{Name: "@terms", Value: ArrayOf(list)}}
	}
	q, err := Parse("SELECT TOP 1 VALUE c.n FROM c ORDER BY RANK FullTextScore(c.t, @terms)")
	require.NoError(t, err)
	_, err = q.Run(context.Background(), terms(20000), padded(300), Cursor{}, wholePage)
	require.ErrorIs(t, err, ErrTerms)
	_, err = q.Run(context.Background(), terms(1000), padded(20000), Cursor{}, wholePage)
	require.ErrorIs(t, err, ErrMemory)
	page, err := q.Run(context.Background(), terms(1000), padded(300), Cursor{}, wholePage)
	require.NoError(t, err)
	require.Len(t, page.Rows, 1)
}

// Memory that a subquery needed for one row is there again for the next; EXISTS and FIRST look no further than they must.
func TestSubqueriesReleaseWhatTheyHeld(t *testing.T) {
	t.Parallel()
	list := make([]Value, 2000)
	for i := range list {
		list[i] = StringOf(strings.Repeat("x", 100))
	}
	docs := make([]Value, 300)
	for i := range docs {
		docs[i] = ObjectOf([]string{"n", "l"}, []Value{NumberOf(float64(i)), ArrayOf(list)})
	}
	for _, expression := range []string{
		"ARRAY_LENGTH(ARRAY(SELECT VALUE x FROM x IN c.l))", "(SELECT VALUE COUNT(1) FROM (SELECT VALUE x FROM x IN c.l))", "LAST(SELECT VALUE x FROM x IN c.l)", "ALL(SELECT VALUE true FROM x IN c.l)",
		"EXISTS(SELECT VALUE x FROM x IN c.l ORDER BY x)", "ARRAY_LENGTH(ARRAY(SELECT DISTINCT VALUE x FROM x IN c.l))",
	} {
		q, err := Parse("SELECT VALUE COUNT(1) FROM c WHERE IS_DEFINED(" + expression + ")")
		require.NoError(t, err, expression)
		got, err := drain(t, q, nil, docs, wholePage)
		require.NoError(t, err, expression)
		require.Equal(t, "[300]", ArrayOf(got).String(), expression)
	}
	wide := ObjectOf([]string{"l"}, []Value{ArrayOf(make([]Value, 1<<16))})
	for i := range wide.items[0].items {
		wide.items[0].items[i] = NumberOf(float64(i))
	}
	for expression, want := range map[string]string{
		"EXISTS(SELECT VALUE 1 FROM a IN c.l JOIN b IN c.l JOIN d IN c.l)": "true", "FIRST(SELECT VALUE a + b FROM a IN c.l JOIN b IN c.l)": "0", "(SELECT VALUE b FROM a IN c.l JOIN b IN c.l)": "0",
		"ARRAY(SELECT TOP 2 VALUE b FROM a IN c.l JOIN b IN c.l)": "[0,1]", "EXISTS(SELECT VALUE a + b FROM a IN c.l JOIN b IN c.l ORDER BY a)": "true", "EXISTS(SELECT TOP 0 VALUE a FROM a IN c.l)": "false",
		"ARRAY(SELECT DISTINCT VALUE a % 2 FROM a IN c.l OFFSET 1 LIMIT 1)": "[1]", "EXISTS(SELECT VALUE a FROM a IN c.l OFFSET 65536 LIMIT 1)": "false", "LAST(SELECT VALUE a FROM a IN c.l)": "65535",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		q, err := Parse("SELECT VALUE " + expression + " FROM c")
		require.NoError(t, err, expression)
		page, err := q.Run(ctx, nil, over([]Value{wide}), Cursor{}, wholePage)
		cancel()
		require.NoError(t, err, expression)
		require.Equal(t, "["+want+"]", ArrayOf(page.Rows).String(), expression)
	}
}
