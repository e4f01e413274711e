package index

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

func parsed(t *testing.T, text string) sql.Value {
	t.Helper()
	v, err := sql.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	return v
}

// values are in ORDER BY's order; those of a line cannot be told apart by what their entries begin with.
func values(t *testing.T) (all []sql.Value) {
	long := strings.Repeat("long", 40)
	for _, text := range []string{"null", "false", "true", "-1e300", "-1", "0", "0.5", "1", "2", "1e300", `""`, `"\u0000"`, `"A"`, `"a"`, `"a\u0000"`, `"a\u0000b"`, `"ab"`, `"b"`,
		`"` + long[:100] + `"`, `"` + long + `"`, `"` + long + `x"`, `"m"`, `"ä"`, `"😀"`, `[]`, `[1]`, `{}`, `{"a":1}`} {
		all = append(all, parsed(t, text))
	}
	return all
}

// Entries are in the order of their values wherever both are exact, and never in the opposite one otherwise.
func TestEntriesAreInOrder(t *testing.T) {
	t.Parallel()
	path := Path([]string{"a", "b"})
	for _, a := range values(t) {
		for _, b := range values(t) {
			x, y := AppendEntry(nil, path, a), AppendEntry(nil, path, b)
			require.LessOrEqual(t, len(x), maxEntry)
			require.Equal(t, sql.Equal(a, b) || a.Kind() == b.Kind() && a.Kind() > sql.String, bytes.Equal(x, y), "%s and %s", a, b)
			if Exact(x, PathSize) || Exact(y, PathSize) {
				require.Equal(t, sign(sql.Compare(a, b)), bytes.Compare(x, y), "%s and %s", a, b)
			} else if c := bytes.Compare(Start(x, PathSize), Start(y, PathSize)); c != 0 {
				require.Equal(t, sign(sql.Compare(a, b)), c, "%s and %s", a, b)
			}
			for _, descending := range []bool{false, true} {
				p, exactP := AppendPart(nil, a, descending)
				q, exactQ := AppendPart(nil, b, descending)
				want := sign(sql.Compare(a, b))
				if descending {
					want = -want
				}
				if exactP && exactQ {
					require.Equal(t, want, bytes.Compare(p, q), "%s and %s", a, b)
				} else if c := bytes.Compare(p, q); c != 0 && !bytes.HasPrefix(p, q) && !bytes.HasPrefix(q, p) {
					require.Equal(t, want, c, "%s and %s", a, b)
				}
			}
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

// An interval has the entry of each value that the filter lets through, and a cut one of a composite index its part.
func TestIntervals(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long", 40)
	for _, condition := range []string{"= 1", "= null", "= 'a'", "> 0", ">= 0", "< 1", "<= 1", "> 'a'", ">= 'a'", "< 'ab'", "<= 'ab'", "> false", "<= true", "= '" + long + "'", "> '" + long + "'", "<= '" + long + "'",
		"BETWEEN 0 AND 1", "IN (1, 'a', null)", "LIKE 'a%'", "LIKE 'long%'", "LIKE '" + long + "%'", "> -1 AND c.a <= 2", "= 1 OR c.a > 'm'"} {
		q, err := sql.Parse("SELECT * FROM c WHERE c.a " + condition)
		require.NoError(t, err)
		path := Path([]string{"a"})
		list := intervalsOf(path, q.Filter(nil))
		for _, v := range values(t) {
			doc := sql.ObjectOf([]string{"a"}, []sql.Value{v})
			matches, err := q.Matches(doc)
			require.NoError(t, err)
			if !matches {
				continue
			}
			require.True(t, within(AppendEntry(nil, path, v), list), "%s %s", v, condition)
			for _, descending := range []bool{false, true} {
				all := Interval{Low: []byte{7}, High: []byte{8}}
				part := Part(all, []byte{7}, list[0].Low[PathSize:], list[len(list)-1].High[PathSize:], descending)
				entry, _ := AppendPart([]byte{7}, v, descending)
				require.True(t, within(entry, []Interval{part}), "%s %s, descending %t", v, condition, descending)
			}
		}
	}
}

func intervalsOf(path []byte, f *sql.Filter) []Interval {
	if f.Of == nil {
		return Intervals(path, f.Spans)
	}
	list := intervalsOf(path, f.Of[0])
	for _, part := range f.Of[1:] {
		if f.Any {
			list = Union(list, intervalsOf(path, part))
		} else {
			list = Intersection(list, intervalsOf(path, part))
		}
	}
	return list
}

func within(entry []byte, list []Interval) bool {
	return slices.ContainsFunc(list, func(i Interval) bool {
		return bytes.Compare(entry, i.Low) >= 0 && (i.High == nil || bytes.Compare(entry, i.High) < 0)
	})
}

// The precedence of paths is that of Microsoft's page on index policies: the longer path wins, and ? over *.
func TestPaths(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		included, excluded string
		want               string // the paths of the document that have entries
	}{
		{"/*", "", "a a/b a/c d d/[] d/[]/e d/[]/f id _ts"},
		{"/*", "/a/?", "a/b a/c d d/[] d/[]/e d/[]/f id _ts"},
		{"/*", "/a/*", "d d/[] d/[]/e d/[]/f id _ts"},
		{"/* /a/b/?", "/a/*", "a/b d d/[] d/[]/e d/[]/f id _ts"},
		{"/a/*", "/*", "a a/b a/c id _ts"},
		{"/d/[]/e/?", "/*", "d/[]/e id _ts"},
		{"/d/[]/*", "/*", "d/[] d/[]/e d/[]/f id _ts"},
		{"/*", "/d/[]/f/?", "a a/b a/c d d/[] d/[]/e id _ts"},
		{"/d/?", "/*", "d id _ts"},
		{"/a/b/?", "/a/b/? /*", "id _ts"},
		{"/*", "/id/?", "a a/b a/c d d/[] d/[]/e d/[]/f id _ts"},
	} {
		p := NewPaths(paths(t, test.included), paths(t, test.excluded))
		terms := p.Of(parsed(t, `{"id":"1","a":{"b":1,"c":"x"},"d":[{"e":1,"f":2},3]}`), 100)
		var got, want []string
		for _, name := range strings.Fields("a a/b a/c d d/[] d/[]/e d/[]/f id _ts") {
			names := strings.Split(strings.ReplaceAll(name, "[]", sql.Element), "/")
			has := slices.ContainsFunc(terms.Entries, func(e []byte) bool { return bytes.HasPrefix(e, Path(names)) })
			require.Equal(t, p.Has(names), has, "%s under %s without %s", name, test.included, test.excluded)
			if has {
				got = append(got, name)
			}
			if has && !strings.Contains(name, "[]") {
				require.True(t, terms.Form.Has(names), name)
			}
		}
		want = strings.Fields(test.want)
		require.Equal(t, want, got, "%s without %s", test.included, test.excluded)
		require.False(t, p.Has([]string{"_etag"}))
		require.False(t, terms.Form.Has([]string{"none"}))
	}
}

func paths(t *testing.T, text string) (all [][]string) {
	t.Helper()
	for path := range strings.FieldsSeq(text) {
		segments, err := partition.Path(path, "*", "?", "[]")
		require.NoError(t, err)
		all = append(all, segments)
	}
	return all
}

// However large a document is, its terms are bounded.
func TestTermsAreBounded(t *testing.T) {
	t.Parallel()
	p := NewPaths(paths(t, "/*"), nil)
	terms := p.Of(parsed(t, `{"id":"1","l":[1,1,1,"`+strings.Repeat("x", 1<<20)+`"]}`), 1)
	require.False(t, terms.Over)
	require.Len(t, terms.Entries, 5, "id, _ts, l, and two elements that differ")
	var items []string
	for i := range 3000 {
		items = append(items, fmt.Sprint(i))
	}
	terms = p.Of(parsed(t, `{"id":"1","l":[`+strings.Join(items, ",")+`]}`), 1)
	require.True(t, terms.Over)
	require.Empty(t, terms.Entries)
	deep := strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60)
	for _, e := range p.Of(parsed(t, deep), 1).Entries {
		require.LessOrEqual(t, len(e), maxEntry)
	}
}

// Numbers of the same value have the same entry, however they are written.
func TestZero(t *testing.T) {
	t.Parallel()
	require.Equal(t, AppendEntry(nil, Path([]string{"a"}), parsed(t, "0")), AppendEntry(nil, Path([]string{"a"}), parsed(t, "-0")))
}
