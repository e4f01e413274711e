package minicosmos

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
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
)

// TestIndexOrScan: under random policies, between random writes, a page of a random query through the index is the page of
// a scan, with the same continuation; so it is after reopening, after a crash and while the index is built.
func TestIndexOrScan(t *testing.T) {
	t.Parallel()
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for seed := range rounds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newIndexWorld(t, uint64(seed))
			for step := range 8 {
				for range 40 {
					w.write()
				}
				for range 50 {
					w.ask()
				}
				switch step % 4 {
				case 1:
					w.reopen(w.fs)
				case 2:
					w.policy()
				case 3:
					w.reopen(crashable{w.fs.CrashClone(vfs.CrashCloneCfg{})})
				}
				if step == 5 {
					require.NoError(t, w.a.Split("db", "c", w.c.Layout().Live[0].ID))
				}
			}
			w.settle()
			require.NoError(t, w.a.Check())
			require.NoError(t, w.a.Close())
			require.Greater(t, w.narrowed, 100, "queries that the index has made cheaper")
		})
	}
}

// crashable is a file system in memory with room.
type crashable struct{ *vfs.MemFS }

func (crashable) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{TotalBytes: 1 << 40, AvailBytes: 1 << 40}, nil
}

type indexWorld struct {
	t        *testing.T
	r        *rand.Rand
	fs       crashable
	a        *account.Account
	c        *account.Container
	scope    partition.Key // of queries; nil: all
	narrowed int           // queries that looked at fewer documents than a scan
}

func newIndexWorld(t *testing.T, seed uint64) *indexWorld {
	w := &indexWorld{t: t, r: rand.New(rand.NewPCG(seed, 5)), fs: crashable{vfs.NewCrashableMem()}}
	var err error
	w.a, err = account.Open(disk.Options{Dir: "store", FS: w.fs}, 1+int(seed%3))
	require.NoError(t, err)
	_, bad := w.a.CreateDatabase(w.parse(`{"id":"db"}`), sql.Value{})
	require.Nil(t, bad)
	properties := w.parse(`{"id":"c","partitionKey":{"kind":"Hash","paths":["/pk"],"version":2},"defaultTtl":-1}`)
	if seed%4 == 3 {
		properties = w.parse(`{"id":"c","partitionKey":{"kind":"MultiHash","paths":["/pk","/a"],"version":2},"defaultTtl":-1}`)
	}
	c, bad := w.a.CreateContainer("db", properties.With("indexingPolicy", w.parse(w.indexing())), sql.Value{})
	require.Nil(t, bad)
	w.c = c
	return w
}

func (w *indexWorld) parse(text string) sql.Value {
	v, err := sql.ParseJSON([]byte(text))
	require.NoError(w.t, err, text)
	return v
}

func (w *indexWorld) pick(list ...string) string { return list[w.r.IntN(len(list))] }

// indexing is a random index policy.
func (w *indexWorld) indexing() string {
	included, excluded := []string{"/*"}, []string{}
	if w.r.IntN(4) == 0 {
		included = nil
		excluded = []string{"/*"}
	}
	for range w.r.IntN(4) {
		path := w.pick("/a/?", "/b/?", "/d/*", "/d/e/?", "/tags/[]/?", "/kids/[]/k/?", "/kids/*", "/c/?", "/long/?")
		if w.r.IntN(2) == 0 {
			included = append(included, path)
		} else {
			excluded = append(excluded, path)
		}
	}
	paths := func(list []string) string {
		var all []string
		for _, path := range list {
			all = append(all, fmt.Sprintf(`{"path":%q}`, path))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	composites := w.pick(`[[{"path":"/a"},{"path":"/b"}],[{"path":"/b"},{"path":"/a","order":"descending"}],[{"path":"/c"},{"path":"/long","order":"descending"},{"path":"/a"}]]`,
		`[[{"path":"/a","order":"descending"},{"path":"/b","order":"descending"}],[{"path":"/a","order":"descending"},{"path":"/b"}],[{"path":"/c","order":"descending"},{"path":"/long"},{"path":"/a","order":"descending"}]]`)
	return fmt.Sprintf(`{"indexingMode":%q,"includedPaths":%s,"excludedPaths":%s,"compositeIndexes":%s}`, w.pick("consistent", "consistent", "lazy"), paths(included), paths(excluded), composites)
}

// policy changes the container's; the index is built while the test goes on.
func (w *indexWorld) policy() {
	require.Nil(w.t, w.a.ReplaceContainer(w.c, w.c.Properties().With("indexingPolicy", w.parse(w.indexing())), ""))
}

func (w *indexWorld) reopen(fs crashable) {
	if fs == w.fs {
		w.settle()
		require.NoError(w.t, w.a.Check())
	}
	require.NoError(w.t, w.a.Close())
	var err error
	w.fs = fs
	w.a, err = account.Open(disk.Options{Dir: "store", FS: fs}, 1)
	require.NoError(w.t, err)
	c, bad := w.a.Container("db", "c")
	require.Nil(w.t, bad)
	w.c = c
}

// settle waits until the index is built.
func (w *indexWorld) settle() {
	require.Eventually(w.t, func() bool { return !w.c.Indexing() }, time.Minute, time.Millisecond)
}

// scalar is a random JSON scalar of few, so that some are equal.
func (w *indexWorld) scalar() string {
	long := strings.Repeat("long", 40)
	return w.pick("0", "1", "2", "-1", "2.5", "1e300", "-0", "10", "true", "false", "null", `""`, `"a"`, `"ab"`, `"abc"`, `"b"`, `"A"`, `"a\u0000b"`, `"ä"`, `"a\u0000"`, `"\ud800"`, `"\ue000"`, `"😀"`, "9007199254740993", "9007199254740992", "1e308", "-1e308", "5e-324",
		`"`+long+`"`, `"`+long+`x"`, `"`+long+`y"`, `"`+long[:50]+`"`, `"`+long[:66]+`"`, `"`+long[:110]+`"`, `"`+long[:120]+`z"`, fmt.Sprint(w.r.IntN(20)), fmt.Sprintf("%q", w.key()))
}

func (w *indexWorld) key() string { return w.pick("p", "q", "r") }

func (w *indexWorld) value() string {
	switch w.r.IntN(12) {
	case 0:
		return "[" + w.scalar() + "," + w.scalar() + "]"
	case 1:
		return `{"e":` + w.scalar() + "}"
	}
	return w.scalar()
}

// document is a random document; a few have too many terms, or a form of their own.
func (w *indexWorld) document(id string) string {
	parts := []string{fmt.Sprintf(`"id":%q,"pk":%q,"a":%s`, id, w.key(), w.scalar())}
	for _, name := range []string{"b", "c", "long", "_x", "o1", "o2", "o3"} {
		if w.r.IntN(4) > 0 {
			parts = append(parts, fmt.Sprintf("%q:%s", name, w.value()))
		}
	}
	if w.r.IntN(2) == 0 {
		parts = append(parts, fmt.Sprintf(`"d":{"e":%s,"f":{"g":%s}}`, w.value(), w.value()))
	}
	if w.r.IntN(2) == 0 {
		parts = append(parts, fmt.Sprintf(`"tags":[%s,%s,%s]`, w.scalar(), w.scalar(), w.value()))
	}
	if w.r.IntN(3) == 0 {
		parts = append(parts, fmt.Sprintf(`"kids":[{"k":%s,"l":%s},{"k":%s}]`, w.scalar(), w.value(), w.scalar()))
	}
	switch w.r.IntN(60) {
	case 0:
		parts = append(parts, `"many":[`+strings.Repeat("1,", 2100)+"1]")
	case 1, 2, 3, 4, 5, 6:
		parts = append(parts, fmt.Sprintf(`"own%d":1`, w.r.IntN(1000)))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// write makes a random transaction of one or two writes.
func (w *indexWorld) write() {
	doc := w.parse(w.document(fmt.Sprint(w.r.IntN(120))))
	pk, err := w.c.PK.Extract(doc)
	require.NoError(w.t, err)
	txn, bad := w.a.Begin(w.c, pk)
	require.Nil(w.t, bad)
	defer txn.End()
	id, _ := doc.Get("id").Str()
	switch w.r.IntN(6) {
	case 0:
		_, _ = txn.Remove(id, "") // it may not be there
		_, bad = txn.Upsert(doc.With("b", sql.NumberOf(1)), "")
		require.Nil(w.t, bad)
	case 1:
		_, _ = txn.Remove(id, "")
	default:
		_, bad = txn.Upsert(doc, "")
		require.Nil(w.t, bad)
	}
	require.NoError(w.t, txn.Commit())
}

// condition is a random WHERE.
func (w *indexWorld) condition(depth int) string {
	if depth > 0 && w.r.IntN(2) == 0 {
		return "(" + w.condition(depth-1) + w.pick(" AND ", " AND ", " OR ") + w.condition(depth-1) + ")"
	}
	path := w.pick("c.a", "c.b", "c.c", "c.d.e", "c.d.f.g", "c.long", "c.id", "c.pk", "c.tags[0]", "c._ts", "c['_x']", "c.none", "c.d")
	switch w.r.IntN(14) {
	case 0, 1, 2:
		return path + " = " + w.scalar()
	case 3, 4:
		return path + w.pick(" < ", " <= ", " > ", " >= ") + w.scalar()
	case 5:
		return path + " IN (" + w.scalar() + "," + w.scalar() + "," + w.scalar() + ")"
	case 6:
		return path + " BETWEEN " + w.scalar() + " AND " + w.scalar()
	case 7:
		return "STARTSWITH(" + path + ", " + w.pick(`"a"`, `""`, `"longlong"`, `"`+strings.Repeat("long", 40)+`"`) + ")"
	case 8:
		return "ARRAY_CONTAINS(c.tags, " + w.scalar() + ")"
	case 9:
		return "EXISTS (SELECT VALUE k FROM k IN c.kids WHERE k.k " + w.pick("=", ">", "<=") + " " + w.scalar() + ")"
	case 10:
		return w.pick("IS_DEFINED", "IS_STRING", "IS_NUMBER", "IS_ARRAY", "IS_NULL", "NOT IS_DEFINED") + "(" + path + ")"
	case 11:
		return path + w.pick(" != ", " = ") + w.scalar()
	case 12:
		return path + " LIKE " + w.pick(`"a%"`, `"_"`, `"ab"`, `"longlong%x"`)
	}
	return "ARRAY_CONTAINS([" + w.scalar() + "," + w.scalar() + "], " + path + ")"
}

// text is a random query.
func (w *indexWorld) text() string {
	where, order := "", ""
	if w.r.IntN(5) > 0 {
		where = " WHERE " + w.condition(2)
	}
	top := w.pick("", "", "TOP 3 ", "TOP 20 ")
	if w.r.IntN(2) == 0 {
		keys := w.pick("c.a", "c.b", "c.long", "c.d.e", "c._ts", "c.id", "c.c", "c.a, c.b", "c.a DESC, c.b DESC", "c.b, c.a DESC", "c.b DESC, c.a", "c.c, c.long DESC, c.a", "c.long DESC, c.a", "c.a DESC, c.b", "c.a, c.b DESC", "c.long, c.a DESC")
		if !strings.Contains(keys, ",") {
			keys += w.pick("", " DESC")
		}
		order = " ORDER BY " + keys
		if strings.HasPrefix(keys, "c.long") && strings.Contains(keys, ",") {
			where = " WHERE c.c = " + w.scalar()
		}
		if strings.HasPrefix(keys, "c.a,") && w.r.IntN(2) == 0 || strings.HasPrefix(keys, "c.a D") && w.r.IntN(2) == 0 {
			where = " WHERE c.a " + w.pick("=", ">", "<=", ">=") + " " + w.scalar()
		}
	}
	if top == "" && w.r.IntN(3) == 0 {
		order += fmt.Sprintf(" OFFSET %d LIMIT %d", w.r.IntN(5), w.r.IntN(40))
	}
	switch w.r.IntN(6) {
	case 0:
		return "SELECT " + top + "VALUE t FROM c JOIN t IN c.tags" + strings.ReplaceAll(where, "c.b =", "t =") + order
	case 1:
		return "SELECT " + w.pick("VALUE COUNT(1)", "DISTINCT c.b") + " FROM c" + where
	}
	return "SELECT " + top + "c.id, c.a, c.b, c.d FROM c" + where + order
}

// ask runs a random query page by page, sometimes with writes in between.
func (w *indexWorld) ask() {
	text := w.text()
	q, err := sql.Parse(text)
	require.NoError(w.t, err, text)
	if w.c.Policy().CanOrder(q.OrderPaths()) != nil {
		return
	}
	scope := reach.Scope{Part: reach.Part{ID: -1}, Key: reach.PinnedKey(w.c, q, nil)}
	switch w.r.IntN(3) {
	case 0:
		scope.Key = partition.Key{sql.StringOf(w.key())} // all of it, or the first of two values
	case 1:
		live := w.c.Layout().Live
		scope.ID = live[w.r.IntN(len(live))].ID
	}
	limits := sql.Limits{Rows: 1 + w.r.IntN(30), Bytes: 1 << 20, Looked: 1 << 20, Eager: w.r.IntN(2) == 0}
	cursor := sql.Cursor{}
	for page := 0; ; page++ {
		at, bad := reach.See(w.a, w.c, nil, nil)
		require.Nil(w.t, bad)
		want, err := q.Run(context.Background(), nil, w.scan(at, scope), cursor, limits)
		require.NoError(w.t, err, text)
		access, err := reach.Reach(at, w.c, q, nil, scope, cursor)
		require.NoError(w.t, err)
		if w.r.IntN(4) > 0 { // what many documents bring about
			access.Effort = reach.Effort{First: 1 + w.r.IntN(8), Few: 1 + w.r.IntN(40), Last: 1 + w.r.IntN(80)}
		}
		got, err := q.Run(context.Background(), nil, access.Documents, cursor, limits)
		require.NoError(w.t, err, text)
		require.NoError(w.t, at.Release())
		context := fmt.Sprintf("%s\nscope %v, page %d of %+v, policy %s", text, scope, page, limits, w.c.Properties().Get("indexingPolicy"))
		require.Equal(w.t, texts(want.Rows), texts(got.Rows), context)
		token := reach.EncodeCursor(want.Next, q)
		require.Equal(w.t, token, reach.EncodeCursor(got.Next, q), context)
		require.LessOrEqual(w.t, got.Looked, want.Looked, context)
		if got.Looked < want.Looked/2 {
			w.narrowed++
		}
		if token == "" || page == 8 {
			return
		}
		if cursor, err = reach.DecodeCursor(token, q); err != nil {
			require.NoError(w.t, err)
		}
		if w.r.IntN(3) == 0 {
			w.write()
		}
	}
}

func texts(rows []sql.Value) []string {
	list := make([]string, len(rows))
	for i, row := range rows {
		list[i] = row.String()
	}
	return list
}

// scan is all documents that one sees in a scope, without an index.
func (w *indexWorld) scan(at *reach.Sight, scope reach.Scope) sql.Source {
	return func(from uint64) iter.Seq2[sql.Item, error] {
		all, err := reach.Reach(at, w.c, everyDocument, nil, scope, sql.Cursor{})
		require.NoError(w.t, err)
		return all.Documents(from)
	}
}

var everyDocument = func() *sql.Query {
	q, err := sql.Parse("SELECT * FROM c")
	if err != nil {
		panic(err)
	}
	return q
}()
