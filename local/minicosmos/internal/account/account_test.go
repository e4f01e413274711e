package account

import (
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// A store of another version is refused with a word, not taken for a damaged one.
func TestStoreOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st, err := store.Open(dir, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, st.Commit(func(b *pebble.Batch) error { return b.Set(document.Key(0, kindEpoch), []byte{0, 0, 0, 7}, nil) }, nil))
	require.NoError(t, st.Close())
	_, err = Open(dir, nil, 1, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, errFormat)
	require.ErrorContains(t, err, "delete the folder")
}

// What was defined is there again, under other ETags.
func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, err := Open(dir, nil, 3, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	db, bad := a.CreateDatabase(mustParse(`{"id":"db"}`), sql.Value{})
	require.Nil(t, bad)
	_, bad = a.CreateContainer(db.Name, mustParse(`{"id":"c","partitionKey":{"kind":"Hash","paths":["/pk"],"version":2},"defaultTtl":-1}`), sql.Value{})
	require.Nil(t, bad)
	properties := a.ListContainers(db)[0].String()
	require.NoError(t, a.Close())

	reopened, err := Open(dir, nil, 1, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	again, bad := reopened.Container("db", "c")
	require.Nil(t, bad)
	require.Equal(t, properties, again.Properties().String())
	require.Len(t, again.Layout().Live, 3, "a container keeps its ranges")
	require.Equal(t, a.epoch+1, reopened.epoch, "ETags never repeat")
	require.NoError(t, reopened.Check())
	require.NoError(t, reopened.Close())
}
