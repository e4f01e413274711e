package document

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// FuzzPatch: a patch of anything is refused with a message, or gives a document that is still one, with its id and key.
func FuzzPatch(f *testing.F) {
	f.Add([]byte(`{"operations":[{"op":"set","path":"/a/b","value":1},{"op":"incr","path":"/n","value":-1}]}`), []byte(`{"id":"1","pk":"a","a":{"b":0},"n":1}`))
	f.Add([]byte(`[{"op":"move","from":"/a","path":"/b"}]`), []byte(`{"id":"1","pk":"a","a":[1,2,3]}`))
	f.Add([]byte(`{"condition":"from c where c.n > 1","operations":[{"op":"remove","path":"/list/-"}]}`), []byte(`{"id":"1","pk":"a","list":[1]}`))
	var key partition.Definition
	require.NoError(f, key.UnmarshalJSON([]byte(`{"kind":"Hash","paths":["/pk"],"version":2}`)))
	f.Fuzz(func(t *testing.T, sent, text []byte) {
		v, err := sql.ParseJSON(sent)
		doc, errDoc := sql.ParseJSON(text)
		if err != nil || errDoc != nil || doc.Kind() != sql.Object {
			return
		}
		p, bad := ParsePatch(v)
		if bad == nil {
			var changed sql.Value
			if changed, bad = p.Apply(doc, &key); bad == nil {
				require.Equal(t, sql.Object, changed.Kind())
				require.True(t, sql.Equal(doc.Get("id"), changed.Get("id")))
				require.True(t, sql.Equal(doc.Get("pk"), changed.Get("pk")))
				require.True(t, json.Valid(changed.AppendJSON(nil)))
				return
			}
		}
		require.Contains(t, []int{400, 412}, bad.Status, bad.Message)
		require.NotEmpty(t, bad.Message)
	})
}

// Where a patch leads to what no client could have written, it is refused: a document that cannot be read again, and a
// number that JSON does not have.
func TestPatchKeepsWhatCanBeRead(t *testing.T) {
	t.Parallel()
	var key partition.Definition
	require.NoError(t, key.UnmarshalJSON([]byte(`{"kind":"Hash","paths":["/pk"],"version":2}`)))
	patched := func(text, sent string) (string, string) {
		doc, err := sql.ParseJSON([]byte(text))
		require.NoError(t, err)
		v, err := sql.ParseJSON([]byte(sent))
		require.NoError(t, err)
		p, bad := ParsePatch(v)
		require.Nil(t, bad)
		changed, bad := p.Apply(doc, &key)
		if bad != nil {
			require.Equal(t, 400, bad.Status)
			return "", bad.Message
		}
		return changed.String(), ""
	}
	deep := func(n int, inner string) string { return strings.Repeat(`{"a":`, n) + inner + strings.Repeat(`}`, n) }
	path := func(n int) string { return strings.Repeat("/a", n) }
	for _, inner := range []string{"1", "[]", "[1]"} {
		for levels := sql.MaxDepth - 4; levels <= sql.MaxDepth; levels++ {
			const above = 60
			got, refused := patched(deep(above, "{}"), `[{"op":"add","path":"`+path(above+1)+`","value":`+deep(levels-above-1, inner)+`}]`)
			_, err := sql.ParseJSON([]byte(deep(levels, inner)))
			if err == nil {
				require.Equal(t, deep(levels, inner), got, "%d %s", levels, inner)
			} else {
				require.Contains(t, refused, "levels", "%d %s: %.50s", levels, inner, got)
			}
		}
	}
	got, refused := patched(`{"n":1e308}`, `[{"op":"incr","path":"/n","value":1e308}]`)
	require.Empty(t, got)
	require.Contains(t, refused, "incr")
}
