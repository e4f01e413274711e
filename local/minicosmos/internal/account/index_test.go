package account

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/disk"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// roomy is a file system in memory with room.
type roomy struct{ *vfs.MemFS }

func (roomy) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{TotalBytes: 1 << 40, AvailBytes: 1 << 40}, nil
}

// filled is an account with a container under the default policy that has documents.
func filled(t *testing.T, fs vfs.FS, documents int) (*Account, *Container) {
	t.Helper()
	a, err := Open(disk.Options{Dir: "store", FS: fs}, 1)
	require.NoError(t, err)
	_, bad := a.CreateDatabase(mustParse(`{"id":"db"}`), sql.Value{})
	require.Nil(t, bad)
	c, bad := a.CreateContainer("db", mustParse(`{"id":"c","partitionKey":{"kind":"Hash","paths":["/pk"],"version":2},"defaultTtl":-1}`), sql.Value{})
	require.Nil(t, bad)
	for i := 0; i < documents; i += 100 {
		txn, bad := a.Begin(c, partition.Key{sql.StringOf("k")})
		require.Nil(t, bad)
		for j := range 100 {
			_, bad = txn.Create(mustParse(fmt.Sprintf(`{"id":"%d","pk":"k","n":%d,"tags":["a","b%d"]}`, i+j, i+j, j)))
			require.Nil(t, bad)
		}
		require.NoError(t, txn.Commit())
		txn.End()
	}
	return a, c
}

func settle(t *testing.T, c *Container) {
	t.Helper()
	require.Eventually(t, func() bool { return !c.Indexing() }, time.Minute, time.Millisecond)
}

func reopened(t *testing.T, fs vfs.FS) (*Account, *Container) {
	t.Helper()
	a, err := Open(disk.Options{Dir: "store", FS: fs}, 1)
	require.NoError(t, err)
	c, bad := a.Container("db", "c")
	require.Nil(t, bad)
	return a, c
}

func terms(t *testing.T, a *Account, c *Container) (n int) {
	t.Helper()
	v := a.Acquire()
	require.NoError(t, v.Scan(document.Key(c.Number, document.KindTerm), nil, func(_, _ []byte) (bool, error) {
		n++
		return true, nil
	}))
	require.NoError(t, v.Release())
	return n
}

// A store that a version without terms has written to gets them when it is opened; a crash on the way is no loss, and
// what is written meanwhile has them at once.
func TestIndexOfAVersionBefore(t *testing.T) {
	t.Parallel()
	fs := roomy{vfs.NewCrashableMem()}
	a, c := filled(t, fs, 2600)
	all := terms(t, a, c)
	require.NoError(t, a.Check())
	before := a.epoch
	require.NoError(t, a.store.Commit(func(b *pebble.Batch) error { // as that version left it: it counts epochs, too
		epoch := append(binary.BigEndian.AppendUint32(nil, before+3), storeFormat)
		return errors.Join(document.DropTerms(b, c.Number), b.Set(document.Key(0, kindEpoch), epoch, nil))
	}, nil))
	require.NoError(t, a.Close())

	crashes := 0
	for {
		a, c = reopened(t, fs)
		for state := (document.IndexState{}); ; time.Sleep(100 * time.Microsecond) {
			v := a.Acquire()
			s, found, err := document.LoadIndexState(v, c.Number)
			require.NoError(t, err)
			require.NoError(t, v.Release())
			require.True(t, found)
			if state.Goal != 0 && s.At != state.At || s.At >= s.Goal {
				break // a step further
			}
			state = s
		}
		if !c.Indexing() {
			break
		}
		txn, bad := a.Begin(c, partition.Key{sql.StringOf("k")})
		require.Nil(t, bad)
		_, bad = txn.Upsert(mustParse(fmt.Sprintf(`{"id":"%d","pk":"k","n":%d,"tags":["a","b%d"]}`, 2500+crashes, 2500+crashes, crashes)), "")
		require.Nil(t, bad)
		require.NoError(t, txn.Commit())
		txn.End()
		crashed := roomy{fs.CrashClone(vfs.CrashCloneCfg{})}
		require.NoError(t, a.Check(), "while it is built")
		require.NoError(t, a.Close())
		fs = crashed
		crashes++
	}
	settle(t, c)
	require.NoError(t, a.Check())
	require.Equal(t, all, terms(t, a, c))
	require.Positive(t, crashes)
	require.NoError(t, a.Close())
}

// Everything that takes documents away takes their terms.
func TestTermsGoWithDocuments(t *testing.T) {
	t.Parallel()
	a, c := filled(t, roomy{vfs.NewMem()}, 200)
	txn, bad := a.Begin(c, partition.Key{sql.StringOf("k")})
	require.Nil(t, bad)
	_, bad = txn.Remove("0", "")
	require.Nil(t, bad)
	_, bad = txn.Replace("1", mustParse(`{"id":"1","pk":"k","ttl":1,"other":[1,2,3]}`), "")
	require.Nil(t, bad)
	require.NoError(t, txn.Commit())
	txn.End()
	require.NoError(t, a.Check())
	require.NoError(t, a.Purge(c, now()+10))
	require.NoError(t, a.Check())

	backup, err := a.Backup("db", "c")
	require.NoError(t, err)
	_, err = a.Restore("db", "c", backup)
	require.NoError(t, err)
	require.NoError(t, a.Check())
	require.Zero(t, terms(t, a, c), "of the container that was replaced")
	c, bad = a.Container("db", "c")
	require.Nil(t, bad)
	require.Equal(t, 198*7, terms(t, a, c))

	require.Nil(t, a.ReplaceContainer(c, c.Properties().With("indexingPolicy", mustParse(`{"indexingMode":"none"}`)), ""))
	settle(t, c)
	require.Zero(t, terms(t, a, c))
	require.NoError(t, a.Check())
	require.Nil(t, a.ReplaceContainer(c, c.Properties().With("indexingPolicy", mustParse(`{"excludedPaths":[{"path":"/tags/*"}]}`)), ""))
	settle(t, c)
	require.Equal(t, 198*4, terms(t, a, c), "id, pk, n, _ts")
	require.NoError(t, a.Check())
	require.Nil(t, a.DropContainer(c, ""))
	require.Zero(t, terms(t, a, c))
	require.NoError(t, a.Close())
}

// syncing is a file system that tells when something has become durable.
type syncing struct {
	roomy
	synced func()
}

func (s syncing) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.roomy.Create(name, category)
	return syncedFile{f, s.synced}, err
}

func (s syncing) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.roomy.ReuseForWrite(old, name, category)
	return syncedFile{f, s.synced}, err
}

type syncedFile struct {
	vfs.File
	synced func()
}

func (f syncedFile) Sync() error {
	err := f.File.Sync()
	f.synced()
	return err
}

func (f syncedFile) SyncData() error {
	err := f.File.SyncData()
	f.synced()
	return err
}

// A version without terms has changed documents that had some; wherever the first start of this one crashes, the next
// takes none of those terms for a document's.
func TestCrashBeforeForeignTermsAreGone(t *testing.T) {
	t.Parallel()
	fs := roomy{vfs.NewCrashableMem()}
	a, c := filled(t, fs, 100)
	require.NoError(t, a.store.Commit(func(b *pebble.Batch) error { // as that version left it
		epoch := append(binary.BigEndian.AppendUint32(nil, a.epoch+1), storeFormat)
		return b.Set(document.Key(0, kindEpoch), epoch, nil)
	}, nil))
	v := a.Acquire()
	r, err := document.Load(v, c.Number, 1)
	require.NoError(t, err)
	require.NoError(t, v.Release())
	r.Body = []byte(`{"id":"0","pk":"k","n":"other"}`)
	require.NoError(t, a.store.Commit(func(b *pebble.Batch) error { return document.Put(b, c.Number, r) }, nil))
	require.NoError(t, a.Close())

	var crashed []roomy
	watched := syncing{fs, func() { crashed = append(crashed, roomy{fs.CrashClone(vfs.CrashCloneCfg{})}) }}
	a, err = Open(disk.Options{Dir: "store", FS: watched}, 1)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	require.NotEmpty(t, crashed)
	for i, fs := range crashed {
		a, c := reopened(t, fs)
		settle(t, c)
		require.NoError(t, a.Check(), "crash %d of %d", i, len(crashed))
		require.NoError(t, a.Close())
	}
}

// A policy that is replaced while the account is closed begins an index, and the store is closed only when that has ended.
func TestIndexBegunWhileClosing(t *testing.T) {
	t.Parallel()
	for range 20 {
		a, c := filled(t, roomy{vfs.NewMem()}, 1000)
		require.True(t, a.Enter())
		closed := make(chan error)
		go func() { closed <- a.Close() }()
		<-a.stop
		time.Sleep(time.Millisecond) // Close waits for whoever entered
		require.Nil(t, a.ReplaceContainer(c, c.Properties().With("indexingPolicy", mustParse(`{"excludedPaths":[{"path":"/tags/*"}]}`)), ""))
		a.Leave()
		require.NoError(t, <-closed)
	}
}
