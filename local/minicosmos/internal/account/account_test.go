package account

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/disk"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// A store of another version is refused with a word, not taken for a damaged one.
func TestStoreOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st, err := store.Open(disk.Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, st.Commit(func(b *pebble.Batch) error { return b.Set(document.Key(0, kindEpoch), []byte{0, 0, 0, 7}, nil) }, nil))
	require.NoError(t, st.Close())
	_, err = Open(disk.Options{Dir: dir}, 1)
	require.ErrorIs(t, err, errFormat)
	require.ErrorContains(t, err, "delete the folder")
}

// What was defined is there again, under other ETags.
func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, err := Open(disk.Options{Dir: dir}, 3)
	require.NoError(t, err)
	db, bad := a.CreateDatabase(mustParse(`{"id":"db"}`), sql.Value{})
	require.Nil(t, bad)
	_, bad = a.CreateContainer(db.Name, mustParse(`{"id":"c","partitionKey":{"kind":"Hash","paths":["/pk"],"version":2},"defaultTtl":-1}`), sql.Value{})
	require.Nil(t, bad)
	properties := a.ListContainers(db)[0].String()
	require.NoError(t, a.Close())

	reopened, err := Open(disk.Options{Dir: dir}, 1)
	require.NoError(t, err)
	again, bad := reopened.Container("db", "c")
	require.Nil(t, bad)
	require.Equal(t, properties, again.Properties().String())
	require.Len(t, again.Layout().Live, 3, "a container keeps its ranges")
	require.Equal(t, a.epoch+1, reopened.epoch, "ETags never repeat")
	require.NoError(t, reopened.Check())
	require.NoError(t, reopened.Close())
}

// A container that a version before has made, with what this one would refuse, is whole: it is ordered by what its policy
// leaves to the service, and may be read, changed and put back.
func TestContainerOfAVersionBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, err := Open(disk.Options{Dir: dir}, 1)
	require.NoError(t, err)
	db, bad := a.CreateDatabase(mustParse(`{"id":"db"}`), sql.Value{})
	require.Nil(t, bad)
	c, bad := a.CreateContainer(db.Name, mustParse(`{"id":"c","partitionKey":{"kind":"Hash","paths":["/pk"],"version":2}}`), sql.Value{})
	require.Nil(t, bad)
	old := c.Properties().With("indexingPolicy", mustParse(`{}`)).With("computedProperties", mustParse(`[{"name":"x","query":"SELECT VALUE 1"}]`)).
		With("partitionKey", mustParse(`{"kind":"Hash","paths":["/a\"b"],"version":2}`))
	require.NoError(t, a.store.Commit(func(b *pebble.Batch) error {
		return b.Set(numberedKey(0, kindContainer, c.Number), c.encode(old, c.Layout()), nil)
	}, nil))
	require.NoError(t, a.Close())

	a, err = Open(disk.Options{Dir: dir}, 1)
	require.NoError(t, err)
	c, bad = a.Container("db", "c")
	require.Nil(t, bad)
	q, err := sql.Parse("SELECT * FROM c ORDER BY c.n")
	require.NoError(t, err)
	require.NoError(t, c.Policy().CanOrder(q.OrderPaths()))
	require.Nil(t, a.ReplaceContainer(c, c.Properties().With("defaultTtl", sql.NumberOf(100)), ""))
	more := a.ReplaceContainer(c, c.Properties().With("computedProperties", mustParse(`[{"name":"y","query":"SELECT VALUE 2"}]`)), "")
	require.NotNil(t, more)
	require.Equal(t, 400, more.Status)
	require.NoError(t, a.Close())
}

// Behind the name of a container comes the name of a document, though it may look like another's resource id.
func TestNamedByName(t *testing.T) {
	t.Parallel()
	a, err := Open(disk.Options{}, 1)
	require.NoError(t, err)
	db, bad := a.CreateDatabase(mustParse(`{"id":"db"}`), sql.Value{})
	require.Nil(t, bad)
	c, bad := a.CreateContainer(db.Name, mustParse(`{"id":"c","partitionKey":{"kind":"Hash","paths":["/pk"],"version":2}}`), sql.Value{})
	require.Nil(t, bad)
	txn, bad := a.Begin(c, partition.Key{sql.StringOf("k")})
	require.Nil(t, bad)
	_, bad = txn.Create(mustParse(`{"id":"a","pk":"k"}`))
	require.Nil(t, bad)
	require.NoError(t, txn.Commit())
	txn.End()
	rid, _ := mustParse(string(a.Documents("db", "c")[0])).Get("_rid").Str()
	byRID, err := a.Named([]string{"db", c.RID, rid}, true)
	require.NoError(t, err)
	require.Equal(t, []string{"db", "c", "a"}, byRID)
	byName, err := a.Named([]string{"db", "c", rid}, true)
	require.NoError(t, err)
	require.Equal(t, []string{"db", "c", rid}, byName)
	require.NoError(t, a.Close())
}

// What runs in the background meets a defect with an error, and not with the end of the process.
func TestPanicInTheBackground(t *testing.T) {
	t.Parallel()
	a := &Account{}
	require.ErrorContains(t, a.Purge(nil, 0), "panic: ")
	done, err := a.indexStep(nil)
	require.ErrorContains(t, err, "panic: ")
	require.False(t, done)
}
