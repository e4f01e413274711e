package sql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWritten: a query that is written back means the same.
func TestWritten(t *testing.T) {
	t.Parallel()
	file := readVectors(t, "cosmos-sql.json")
	docs := parseAll(t, file.Documents)
	texts := []string{
		`SELECT (c.a + 1) * -c.b AS "$1" FROM c`, `SELECT c["order"], c.x["a b"][0], c["x"].y FROM c`, `SELECT VALUE NOT (c.a = 1 OR c.b = 2) AND c.d FROM c`,
		`SELECT VALUE c.a ? c.b ?? "x" : {"y": [1, undefined, null, @p]} FROM c`, `SELECT VALUE t FROM t IN c.list JOIN (SELECT VALUE s.n FROM s IN t.s) u WHERE u NOT IN (1, 2)`,
		`SELECT TOP 3 VALUE 1e300 FROM c WHERE c.s LIKE "a!%%" ESCAPE "!" AND c.n NOT BETWEEN 1 AND 2 OFFSET 1 LIMIT 1000000`,
		`SELECT DISTINCT x.a.b AS y, COUNT(1) FROM root.x GROUP BY x.a.b`, `SELECT VALUE EXISTS(SELECT 1 FROM k IN c.list WHERE k = "\u00e9\n'") FROM c`,
		`SELECT ARRAY(SELECT VALUE z FROM z IN c.l) AS list, (SELECT VALUE 1) one FROM c ORDER BY c.a DESC, c.b`,
	}
	for _, c := range file.Cases {
		texts = append(texts, c.Query)
	}
	params := []Param{{Name: "@p", Value: NumberOf(3)}}
	for _, text := range texts {
		q, err := Parse(strings.ReplaceAll(text, `AS "$1"`, "AS x"))
		if err != nil {
			continue // a vector for an error
		}
		w := &writer{}
		w.selection(q.root)
		again, err := Parse(w.String())
		require.NoError(t, err, "%s became %s", text, w.String())
		want, first := drain(t, q, params, docs, wholePage)
		got, second := drain(t, again, params, docs, wholePage)
		require.Equal(t, first, second, w.String())
		require.Equal(t, render(want), render(got), w.String())
		require.Equal(t, q.root.from == nil, again.root.from == nil)
	}
}

func render(list []Value) []string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return texts
}

// TestDistributed: put together as clients do it, the answers of several ranges are those of one.
func TestDistributed(t *testing.T) {
	t.Parallel()
	file := readVectors(t, "cosmos-sql.json")
	docs := parseAll(t, file.Documents)
	for i := range docs {
		docs[i] = docs[i].With("_rid", StringOf(fmt.Sprintf("%06d", i)))
	}
	texts := []string{
		"SELECT VALUE COUNT(1) FROM c", "SELECT VALUE AVG(c.n) FROM c", "SELECT MIN(c.n) AS low, MAX(c.n) AS high, COUNT(c.n) FROM c",
		"SELECT DISTINCT VALUE c.n FROM c ORDER BY c.n OFFSET 1 LIMIT 3", "SELECT TOP 2 c.id, c.n FROM c ORDER BY c.n DESC",
		"SELECT c.n, COUNT(1) AS k, SUM(c.n) s FROM c GROUP BY c.n", "SELECT TOP 1 VALUE MAX(c.n) FROM c GROUP BY c.n", "SELECT VALUE c.n FROM c GROUP BY c.n",
		"SELECT VALUE c.n FROM c ORDER BY c.id", "SELECT c.id, t FROM c JOIN t IN c.tags ORDER BY c.n DESC", "SELECT c.id, t FROM c JOIN t IN c.tags ORDER BY c.n OFFSET 1 LIMIT 3", "SELECT * FROM c ORDER BY c.n, c.id DESC OFFSET 2 LIMIT 4",
	}
	for _, c := range file.Cases {
		texts = append(texts, c.Query)
	}
	refused := 0
	for _, text := range texts {
		q, err := Parse(text)
		if err != nil || !q.NeedsDocuments() {
			continue
		}
		want, err := drain(t, q, nil, docs, wholePage)
		if err != nil {
			continue
		}
		d, err := q.Distribute(nil)
		if err != nil {
			refused++
			continue
		}
		got := together(t, q, d, docs)
		switch {
		case len(d.OrderBy) > 0:
			require.Equal(t, render(want), render(got), "%s by %s", text, d.Rewritten)
		case d.Top == nil && d.Limit == nil:
			require.Equal(t, canonical(want, false), canonical(got, false), "%s by %s", text, d.Rewritten)
		default: // which rows it is does not matter
			require.Len(t, got, len(want), "%s by %s", text, d.Rewritten)
			require.Subset(t, canonical(unbounded(t, q, docs), false), canonical(got, false), "%s by %s", text, d.Rewritten)
		}
	}
	require.Less(t, refused, 20)
}

// unbounded are the rows of a query without its TOP, OFFSET and LIMIT.
func unbounded(t *testing.T, q *Query, docs []Value) []Value {
	t.Helper()
	s := *q.root
	s.top, s.offset, s.limit = nil, nil, nil
	w := &writer{}
	w.selection(&s)
	all, err := Parse(w.String())
	require.NoError(t, err)
	list, err := drain(t, all, nil, docs, wholePage)
	require.NoError(t, err)
	return list
}

// together answers a query over three ranges as a client does.
func together(t *testing.T, q *Query, d *Distribution, docs []Value) (all []Value) {
	t.Helper()
	each := q
	if d.Rewritten != "" {
		var err error
		each, err = Parse(strings.ReplaceAll(d.Rewritten, "{documentdb-formattableorderbyquery-filter}", "true"))
		require.NoError(t, err, d.Rewritten)
	}
	const ranges = 3
	for r := range ranges {
		var part []Value
		for i := r; i < len(docs); i += ranges {
			part = append(part, docs[i])
		}
		list, err := drain(t, each, nil, part, Limits{Rows: 2, Bytes: 1 << 20, Looked: 1000})
		require.NoError(t, err, d.Rewritten)
		all = append(all, list...)
	}
	switch {
	case len(d.OrderBy) > 0:
		slices.SortStableFunc(all, func(a, b Value) int {
			for i, direction := range d.OrderBy {
				c := Compare(a.Get("orderByItems").At(i).Get("item"), b.Get("orderByItems").At(i).Get("item"))
				if direction == "Descending" {
					c = -c
				}
				if c != 0 {
					return c
				}
			}
			first, second := a, b // of the same keys those that were made first, or last where the first key descends
			if d.OrderBy[0] == "Descending" {
				first, second = b, a
			}
			return Compare(first.Get("_rid"), second.Get("_rid"))
		})
		for i, v := range all {
			all[i] = v.Get("payload")
		}
	case q.root.aggregated():
		all = merged(d, all)
	}
	if d.Distinct != DistinctNone {
		seen := map[string]bool{}
		last := ""
		all = slices.DeleteFunc(all, func(v Value) bool {
			key := string(v.appendCanonical(nil))
			drop := seen[key] && (d.Distinct == DistinctUnordered || key == last)
			seen[key], last = true, key
			return drop
		})
	}
	if d.DistinctCount != nil {
		n := NumberOf(float64(len(all)))
		if *d.DistinctCount != "" {
			n = ObjectOf([]string{*d.DistinctCount}, []Value{n})
		}
		all = []Value{n}
	}
	from, to := 0, len(all)
	if d.Offset != nil {
		from = min(*d.Offset, len(all))
		to = min(from+*d.Limit, len(all))
	}
	if d.Top != nil {
		to = min(to, from+*d.Top)
	}
	return all[from:to]
}

// merged puts groups together.
func merged(d *Distribution, rows []Value) (list []Value) {
	groups := map[string][]Value{}
	var order []string
	for _, row := range rows {
		key := string(row.Get("groupByItems").appendCanonical(nil))
		if groups[key] == nil {
			order = append(order, key)
		}
		if payload := row.Get("payload"); payload.IsDefined() {
			row = payload
		}
		groups[key] = append(groups[key], row)
	}
	for _, key := range order {
		if d.SelectValue {
			kind := ""
			if len(d.Aggregates) > 0 {
				kind = d.Aggregates[0]
			}
			var parts []Value
			for _, row := range groups[key] {
				if kind != "" {
					row = row.At(0)
				}
				parts = append(parts, row)
			}
			if v := aggregate(kind, parts); v.IsDefined() {
				list = append(list, v)
			}
			continue
		}
		row := ObjectOf(nil, nil)
		for _, c := range d.Columns {
			var parts []Value
			for _, r := range groups[key] {
				parts = append(parts, r.Get(c.Name))
			}
			row = row.With(c.Name, aggregate(c.Aggregate, parts))
		}
		list = append(list, row)
	}
	return list
}

// aggregate puts the parts of one aggregate together.
func aggregate(kind string, parts []Value) Value {
	if kind == "" {
		return parts[0]
	}
	sum, n, best := 0.0, 0.0, Value{}
	for _, p := range parts {
		v := p.Get("item")
		switch kind {
		case "Count", "Sum":
			x, ok := v.Number()
			if !ok {
				return Value{}
			}
			sum += x
		case "Average":
			s, ok := v.Get("sum").Number()
			if !ok {
				return Value{}
			}
			k, _ := v.Get("count").Number()
			sum, n = sum+s, n+k
		default:
			both := p.Get("item2")
			if k, _ := both.Get("count").Number(); k == 0 {
				continue
			}
			x := both.Get(strings.ToLower(kind))
			if !x.IsDefined() {
				return x
			}
			if c := Compare(x, best); !best.IsDefined() || kind == "Min" && c < 0 || kind == "Max" && c > 0 {
				best = x
			}
		}
	}
	switch {
	case kind == "Min" || kind == "Max":
		return best
	case kind == "Average" && n == 0:
		return Value{}
	case kind == "Average":
		return NumberOf(sum / n)
	}
	return NumberOf(sum)
}

// Java's client calls IS_BOOL by another name.
func TestNamesOfClients(t *testing.T) {
	t.Parallel()
	q, err := Parse("SELECT VALUE IS_BOOLEAN(c.b) FROM c")
	require.NoError(t, err)
	got, err := drain(t, q, nil, []Value{ObjectOf([]string{"b"}, []Value{BoolOf(true)})}, wholePage)
	require.NoError(t, err)
	require.Equal(t, []Value{BoolOf(true)}, got)
}
