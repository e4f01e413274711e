package minicosmos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/disk"
	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	reach "github.com/relaybox/relaybox/local/minicosmos/internal/query"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
	"github.com/relaybox/relaybox/test/linear"
)

// openIndexed is a world with a container under an index policy and documents of one partition, made of the numbers below n.
func openIndexed(t *testing.T, indexing string, n int, document func(i int) string) *indexWorld {
	w := &indexWorld{t: t, r: rand.New(rand.NewPCG(1, 4)), fs: crashable{vfs.NewCrashableMem()}}
	var err error
	w.a, err = account.Open(disk.Options{Dir: "store", FS: w.fs}, 1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.a.Close()) })
	_, bad := w.a.CreateDatabase(w.parse(`{"id":"db"}`), sql.Value{})
	require.Nil(t, bad)
	properties := w.parse(`{"id":"c","partitionKey":{"kind":"Hash","paths":["/pk"],"version":2}}`)
	w.c, bad = w.a.CreateContainer("db", properties.With("indexingPolicy", w.parse(indexing)), sql.Value{})
	require.Nil(t, bad)
	for i := 0; i < n; i += 100 {
		pk, err := w.c.PK.Extract(w.parse(`{"pk":"p"}`))
		require.NoError(t, err)
		txn, bad := w.a.Begin(w.c, pk)
		require.Nil(t, bad)
		for j := i; j < min(n, i+100); j++ {
			_, bad = txn.Create(w.parse(document(j)))
			require.Nil(t, bad)
		}
		require.NoError(t, txn.Commit())
		txn.End()
	}
	return w
}

// pages runs a query to its end in pages of a size; looked is how many documents all of them looked at.
func (w *indexWorld) pages(text string, rows int) (all []string, looked int) {
	q, err := sql.Parse(text)
	require.NoError(w.t, err)
	scope := reach.Scope{Part: reach.Part{ID: -1}, Key: w.scope}
	for cursor, page := (sql.Cursor{}), 0; ; page++ {
		at, bad := reach.See(w.a, w.c, nil, nil)
		require.Nil(w.t, bad)
		access, err := reach.Reach(at, w.c, q, nil, scope, cursor)
		require.NoError(w.t, err)
		got, err := q.Run(context.Background(), nil, access.Documents, cursor, sql.Limits{Rows: rows, Bytes: 1 << 20, Looked: 1 << 20, Eager: true})
		require.NoError(w.t, err)
		require.NoError(w.t, at.Release())
		all, looked = append(all, texts(got.Rows)...), looked+got.Looked
		if got.Next == nil {
			return all, looked
		}
		cursor = *got.Next
	}
}

// TestIndexTies: among documents with equal keys, pages go on in the direction of the first key of ORDER BY, whichever way a
// composite index lies.
func TestIndexTies(t *testing.T) {
	t.Parallel()
	for _, directions := range [][2]string{{"ascending", "ascending"}, {"ascending", "descending"}, {"descending", "ascending"}, {"descending", "descending"}} {
		w := openIndexed(t, fmt.Sprintf(`{"compositeIndexes":[[{"path":"/k","order":"ascending"},{"path":"/a","order":%q},{"path":"/b","order":%q}],[{"path":"/a","order":%q},{"path":"/b","order":%q}]]}`, directions[0], directions[1], directions[0], directions[1]),
			50, func(i int) string { return fmt.Sprintf(`{"id":"%d","pk":"p","k":1,"a":1,"b":%d,"n":%d}`, i, i/20, i) })
		for _, order := range []string{"c.a, c.b", "c.a, c.b DESC", "c.a DESC, c.b", "c.a DESC, c.b DESC"} {
			q, err := sql.Parse("SELECT * FROM c ORDER BY " + order)
			require.NoError(t, err)
			if w.c.Policy().CanOrder(q.OrderPaths()) != nil {
				continue
			}
			for _, where := range []string{"", " WHERE c.k = 1"} {
				text := "SELECT VALUE c.n FROM c" + where + " ORDER BY " + order
				want, _ := w.pages(text, 50)
				require.Len(t, want, 50)
				for _, rows := range []int{1, 3, 7} {
					got, _ := w.pages(text, rows)
					require.Equal(t, want, got, "%s in pages of %d, %v", text, rows, directions)
				}
			}
		}
	}
}

// TestIndexLongOr: thousands of values that are asked for are put in order once, and not read side by side.
func TestIndexLongOr(t *testing.T) {
	t.Parallel()
	w := openIndexed(t, `{}`, 3000, func(i int) string { return fmt.Sprintf(`{"id":"%d","pk":"p","n":%d}`, i, i) })
	linear.Check(t, "values", 500, func(values int) func() {
		any := make([]string, values)
		for i := range any {
			any[i] = fmt.Sprintf("c.n = %d", 2000+i*7919%values)
		}
		q, err := sql.Parse("SELECT VALUE c.n FROM c WHERE " + strings.Join(any, " OR "))
		require.NoError(t, err)
		return func() {
			at, bad := reach.See(w.a, w.c, nil, nil)
			require.Nil(t, bad)
			defer func() { require.NoError(t, at.Release()) }()
			access, err := reach.Reach(at, w.c, q, nil, reach.Scope{Part: reach.Part{ID: -1}}, sql.Cursor{})
			require.NoError(t, err)
			n, looked := 0, 0
			for item, err := range access.Documents(0) {
				require.NoError(t, err)
				if item.Number > 2000 {
					n++
					continue
				}
				looked++ // before that many rows are read
			}
			require.Equal(t, min(values, 1000), n)
			require.LessOrEqual(t, looked, 256)
		}
	})
}

// TestIndexOfAPartition: whoever reads a logical partition page by page reads it once, not once for each page.
func TestIndexOfAPartition(t *testing.T) {
	t.Parallel()
	open := func(indexing string, documents int) *indexWorld {
		w := openIndexed(t, indexing, documents, func(i int) string { return fmt.Sprintf(`{"id":"%d","pk":"p","n":%d}`, documents-i, i) })
		w.scope = partition.Key{sql.StringOf("p")}
		return w
	}
	read := func(w *indexWorld, text string, documents int) {
		all, looked := w.pages(text, 5)
		require.Len(t, all, documents)
		require.Equal(t, []string{"0", strconv.Itoa(documents - 1)}, []string{all[0], all[documents-1]})
		require.LessOrEqual(t, looked, documents+documents/5, "and one more a page")
	}
	linear.Check(t, "pages", 300, func(documents int) func() {
		w := open(`{}`, documents)
		return func() { read(w, "SELECT VALUE c.n FROM c", documents) }
	})
	// Without rows of the key, more than a thousand documents are read as the container has them.
	named := open(`{"includedPaths":[{"path":"/n/?"}],"excludedPaths":[{"path":"/*"}]}`, 2400)
	read(named, "SELECT VALUE c.n FROM c", 2400)
	read(named, "SELECT VALUE c.n FROM c WHERE c.n >= 0", 2400)
}

// TestIndexUnselective: a page of what nearly all documents satisfy does not read the rows of the whole container.
func TestIndexUnselective(t *testing.T) {
	t.Parallel()
	w := openIndexed(t, `{}`, 20000, func(i int) string { return fmt.Sprintf(`{"id":"%d","pk":"p","n":%d,"m":%d}`, i, i, i) })
	took := func(text string) time.Duration {
		q, err := sql.Parse(text)
		require.NoError(t, err)
		return linear.Took(func() {
			at, bad := reach.See(w.a, w.c, nil, nil)
			require.Nil(t, bad)
			access, err := reach.Reach(at, w.c, q, nil, reach.Scope{Part: reach.Part{ID: -1}}, sql.Cursor{})
			require.NoError(t, err)
			page, err := q.Run(context.Background(), nil, access.Documents, sql.Cursor{}, sql.Limits{Rows: 100, Bytes: 1 << 20, Looked: 1 << 20, Eager: true})
			require.NoError(t, err)
			require.Len(t, page.Rows, 100)
			require.NoError(t, at.Release())
		})
	}
	all := took("SELECT * FROM c")
	const least = time.Millisecond // what a thread's clock may not see
	require.Less(t, took("SELECT * FROM c WHERE c.n >= 0 AND c.m >= 0"), 12*max(all, least))
}

// TestPolicyOfTheView: a view that is older than the policy is not read by the numbers that paths have in the new one.
func TestPolicyOfTheView(t *testing.T) {
	t.Parallel()
	w := openIndexed(t, `{"includedPaths":[{"path":"/a/?"}],"excludedPaths":[{"path":"/*"}]}`, 20, func(i int) string {
		return fmt.Sprintf(`{"id":"%d","pk":"p","a":%d,"b":%d}`, i, i, 100+i)
	})
	at, bad := reach.See(w.a, w.c, nil, nil)
	require.Nil(t, bad)
	require.Nil(t, w.a.ReplaceContainer(w.c, w.c.Properties().With("indexingPolicy", w.parse(`{"includedPaths":[{"path":"/b/?"}],"excludedPaths":[{"path":"/*"}]}`)), ""))
	q, err := sql.Parse("SELECT VALUE c.b FROM c WHERE c.b = 105")
	require.NoError(t, err)
	access, err := reach.Reach(at, w.c, q, nil, reach.Scope{Part: reach.Part{ID: -1}}, sql.Cursor{})
	require.NoError(t, err)
	page, err := q.Run(context.Background(), nil, access.Documents, sql.Cursor{}, sql.Limits{Rows: 100, Bytes: 1 << 20, Looked: 1 << 20})
	require.NoError(t, err)
	require.Len(t, page.Rows, 1)
	require.NoError(t, at.Release())
}
