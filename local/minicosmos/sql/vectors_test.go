package sql

import (
	"context"
	"encoding/json"
	"iter"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// notYet lists the vectors that do not pass, by query, each with its reason. The tests
// fail when a query on the list passes, and when one that is not on it fails.
var notYet = map[string]string{
	"SELECT {a: 1} FROM c":                           "the SDK's parser refuses it, the service's own samples use it",
	"SELECT * FROM c JOIN t IN c.tags JOIN u IN t.x": "the SDK's parser takes it, the service's page on SELECT says that * needs a single source",
}

type vectorFile struct {
	Documents []json.RawMessage
	Cases     []vector
}

type vector struct {
	Query   string
	Ordered bool
	Results []json.RawMessage
	Error   string
	Valid   bool
}

func readVectors(t testing.TB, name string) vectorFile {
	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	var file vectorFile
	require.NoError(t, json.Unmarshal(text, &file))
	return file
}

func parseAll(t testing.TB, texts []json.RawMessage) []Value {
	list := make([]Value, len(texts))
	for i, text := range texts {
		v, err := ParseJSON(text)
		require.NoError(t, err)
		list[i] = v
	}
	return list
}

// over is a source of documents numbered from 1.
func over(docs []Value) Source {
	return func(from uint64) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			for i, d := range docs {
				if n := uint64(i + 1); n >= from && !yield(Item{Number: n, Doc: d}, nil) {
					return
				}
			}
		}
	}
}

var wholePage = Limits{Rows: math.MaxInt32, Bytes: math.MaxInt32, Looked: math.MaxInt32}

// drain runs a query page by page and returns all results.
func drain(t testing.TB, q *Query, params []Param, docs []Value, limits Limits) ([]Value, error) {
	var all []Value
	for from, pages := (Cursor{}), 0; ; pages++ {
		page, err := q.Run(context.Background(), params, over(docs), from, limits)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Rows...)
		if page.Next == nil {
			return all, nil
		}
		require.Less(t, pages, 1000, "no end of pages: %s", q.Text())
		from = *page.Next
	}
}

func canonical(values []Value, ordered bool) []string {
	list := []string{}
	for _, v := range values {
		list = append(list, string(v.appendCanonical(nil)))
	}
	if !ordered {
		slices.Sort(list)
	}
	return list
}

// fault tells what is wrong with a vector's answer, "" for nothing.
func fault(t testing.TB, v vector, docs []Value, limits Limits) string {
	q, err := Parse(v.Query)
	if err != nil || v.Error != "" {
		if (err != nil) == (v.Error != "") {
			return ""
		}
		return "error: " + v.Error
	}
	got, err := drain(t, q, nil, docs, limits)
	if err != nil {
		return err.Error()
	}
	want := parseAll(t, v.Results)
	if !slices.Equal(canonical(want, v.Ordered), canonical(got, v.Ordered)) {
		return ArrayOf(got).String()
	}
	return ""
}

func TestVectors(t *testing.T) {
	t.Parallel()
	file := readVectors(t, "cosmos-sql.json")
	docs := parseAll(t, file.Documents)
	for name, limits := range map[string]Limits{
		"one page":  wholePage,
		"by threes": {Rows: 3, Bytes: math.MaxInt32, Looked: 5},
	} {
		passed := 0
		for _, v := range file.Cases {
			bad := fault(t, v, docs, limits)
			if bad == "" {
				passed++
			}
			_, known := notYet[v.Query]
			if known != (bad != "") {
				t.Errorf("%s: %s\n%.300s", name, v.Query, bad)
			}
		}
		t.Logf("%s: %d of %d", name, passed, len(file.Cases))
	}
}

func TestSyntaxVectors(t *testing.T) {
	t.Parallel()
	file := readVectors(t, "cosmos-sql-syntax.json")
	for _, v := range file.Cases {
		_, err := Parse(v.Query)
		_, known := notYet[v.Query]
		if known != (v.Valid != (err == nil)) {
			t.Errorf("%s: %v", v.Query, err)
		}
		if err != nil {
			var syntax *SyntaxError
			require.ErrorAs(t, err, &syntax)
			require.True(t, json.Valid([]byte(err.Error())), err.Error())
			require.LessOrEqual(t, syntax.Start, syntax.End)
		}
	}
	t.Logf("%d", len(file.Cases))
}
