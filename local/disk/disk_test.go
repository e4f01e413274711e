package disk

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/disk/disktest"
)

func open(t *testing.T, fs vfs.FS, dir string) *DB {
	t.Helper()
	db, err := Open(Options{Dir: dir, FS: fs, MemTable: 1 << 20, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	require.NoError(t, err)
	return db
}

func set(t testing.TB, db *DB, key string, value []byte) error {
	t.Helper()
	b := db.NewBatch()
	require.NoError(t, b.Set([]byte(key), value, nil))
	if err := db.Room(b.Len()); err != nil {
		return errors.Join(err, b.Close())
	}
	return db.Commit(b, 1)
}

func has(t *testing.T, db *DB, keys ...string) {
	t.Helper()
	for _, key := range keys {
		_, closer, err := db.Get([]byte(key))
		require.NoError(t, err, key)
		require.NoError(t, closer.Close())
	}
}

// TestFullDisk fills a disk: writes are refused, reads go on, a start says why it does not, and room heals it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := disktest.NewSmall("data", 24<<20)
	db := open(t, s, "data")
	var keys []string
	var full *FullError
	for i := 0; full == nil; i++ {
		key := fmt.Sprint("k", i)
		if err := set(t, db, key, []byte(disktest.Text(20_000))); err == nil {
			keys = append(keys, key)
		} else {
			require.ErrorAs(t, err, &full)
		}
	}
	require.Greater(t, len(keys), 500, "most of the disk is for what is written")
	require.Contains(t, full.Error(), "the disk of data is full")
	require.Contains(t, full.Error(), "make room")
	has(t, db, keys...)
	require.NoError(t, db.Close())

	s.Fill(1_000_000)
	_, err := Open(Options{Dir: "data", FS: s, MemTable: 1 << 20})
	require.ErrorAs(t, err, &full)

	s.Resize(48 << 20)
	db = open(t, s, "data")
	has(t, db, keys...)
	s.Fill(0) // somebody else fills it
	require.ErrorAs(t, set(t, db, "refused", nil), &full)
	s.Resize(48 << 20)
	require.NoError(t, set(t, db, "again", nil))
	require.NoError(t, db.Close())
}

// TestNoRoomInTheMiddle: what finds the disk full after it was taken waits for room, and is not lost.
func TestNoRoomInTheMiddle(t *testing.T) {
	t.Parallel()
	s := disktest.NewSmall("data", 64<<20)
	db := open(t, s, "data")
	require.NoError(t, set(t, db, "before", []byte(disktest.Text(1000))))
	b := db.NewBatch()
	for i := range 400 { // more than a table, so that one is written, too
		require.NoError(t, b.Set(fmt.Append(nil, "k", i), []byte(disktest.Text(10_000)), nil))
	}
	require.NoError(t, db.Room(b.Len()))
	s.Fill(100_000)
	done := make(chan error, 1)
	go func() { done <- db.Commit(b, 400) }()
	select {
	case err := <-done:
		require.FailNow(t, "there was no room", "%v", err)
	case <-time.After(4 * again):
	}
	require.Error(t, db.Room(0))
	has(t, db, "before")
	s.Resize(64 << 20)
	require.NoError(t, <-done)
	has(t, db, "before", "k0", "k399")
	require.NoError(t, db.Close())
}

// TestCloseWithoutRoom: a store that waits for room ends when it is told to, and has what was acknowledged.
func TestCloseWithoutRoom(t *testing.T) {
	t.Parallel()
	s := disktest.NewSmall("data", 64<<20)
	db := open(t, s, "data")
	require.NoError(t, set(t, db, "before", []byte(disktest.Text(1000))))
	b := db.NewBatch()
	require.NoError(t, b.Set([]byte("waits"), []byte(disktest.Text(300_000)), nil))
	s.Fill(0)
	done := make(chan error, 1)
	go func() { done <- db.Commit(b, 1) }()
	require.Eventually(t, func() bool { return db.guard.waiting.Load() > 0 }, time.Minute, time.Millisecond)
	_ = db.Close() // it may say that it could not
	require.Error(t, <-done)
	s.Resize(64 << 20)
	db = reopened(t, s)
	has(t, db, "before")
}

// reopened opens what a process has left that did not give back its lock.
func reopened(t *testing.T, s *disktest.Small) *DB {
	t.Helper()
	names, err := s.List("data")
	require.NoError(t, err)
	require.NoError(t, s.MkdirAll("copy", 0o700))
	for _, name := range names {
		if name != "LOCK" {
			require.NoError(t, vfs.Copy(s.FS, s.PathJoin("data", name), s.PathJoin("copy", name)))
		}
	}
	return open(t, s, "copy")
}

// TestCompactionsGiveWay: rewriting tables neither takes the reserve nor goes round and round when there is no room for it.
func TestCompactionsGiveWay(t *testing.T) {
	t.Parallel()
	s := disktest.NewSmall("data", 40<<20)
	db := open(t, s, "data")
	for i := range 600 {
		require.NoError(t, set(t, db, fmt.Sprint("k", i*7919%600), []byte(disktest.Text(20_000))))
	}
	require.NoError(t, db.Flush())
	s.Fill(db.guard.reserve + 100_000)
	go func() { _ = db.Compact(t.Context(), []byte("a"), []byte("z"), false) }()
	time.Sleep(time.Second)
	require.NoError(t, set(t, db, "in the meantime", nil), "the reserve is for writes")
	require.Less(t, db.guard.merges.n.Load(), int32(10), "after each failure it rests")
	require.NoError(t, db.Close())
}

// TestDiskFails: a store whose disk is broken refuses writes from then on, and answers reads.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	s := &broken{FS: vfs.NewMem()}
	db := open(t, s, "data")
	require.NoError(t, set(t, db, "before", nil))
	s.is.Store(true)
	err := set(t, db, "k", []byte(disktest.Text(1000)))
	require.ErrorIs(t, err, syscall.EIO)
	require.ErrorIs(t, set(t, db, "k", nil), syscall.EIO, "for good")
	require.ErrorIs(t, db.Err(), syscall.EIO)
	has(t, db, "before")
	require.ErrorIs(t, db.Close(), syscall.EIO)
}

type broken struct {
	vfs.FS
	is atomic.Bool
}

func (b *broken) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := b.FS.Create(name, category)
	return brokenFile{f, b}, err
}

type brokenFile struct {
	vfs.File
	b *broken
}

func (f brokenFile) Write(p []byte) (int, error) {
	if f.b.is.Load() {
		return 0, syscall.EIO
	}
	return f.File.Write(p)
}

// written makes a store with tables, a log and 400 changes, as a killed process leaves it.
func written(t testing.TB) (dir string, keys []string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	db, err := Open(Options{Dir: dir, MemTable: 256 << 10})
	require.NoError(t, err)
	for i := range 400 {
		key := fmt.Sprintf("k%03d", i)
		require.NoError(t, set(t, db, key, []byte(disktest.Text(1500))))
		keys = append(keys, key)
	}
	killed := filepath.Join(t.TempDir(), "killed")
	require.NoError(t, os.CopyFS(killed, os.DirFS(dir)))
	require.NoError(t, db.Close())
	return killed, keys
}

// TestDamage changes each file of a store in each way: it is opened whole, or it says that it is damaged.
func TestDamage(t *testing.T) {
	t.Parallel()
	whole, keys := written(t)
	files, err := os.ReadDir(whole)
	require.NoError(t, err)
	outcome := map[bool]int{}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(whole, file.Name()))
		require.NoError(t, err)
		harm := map[string]func(name string) error{
			"removed": os.Remove,
			"emptied": func(name string) error { return os.WriteFile(name, nil, 0o600) },
			"halved":  func(name string) error { return os.WriteFile(name, text[:len(text)/2], 0o600) },
			"cut":     func(name string) error { return os.WriteFile(name, text[:max(0, len(text)-100)], 0o600) },
		}
		for i := range 8 {
			harm[fmt.Sprint("flipped ", i)] = func(name string) error {
				other := []byte(string(text))
				for range 2 {
					if len(other) > 0 {
						other[rand.IntN(len(other))] ^= 1 << rand.IntN(8)
					}
				}
				return os.WriteFile(name, other, 0o600)
			}
		}
		for _, with := range files {
			if with != file && filepath.Ext(with.Name()) == filepath.Ext(file.Name()) {
				harm["swapped with "+with.Name()] = func(name string) error {
					other := filepath.Join(filepath.Dir(name), with.Name())
					return errors.Join(os.Rename(name, name+"-"), os.Rename(other, name), os.Rename(name+"-", other))
				}
			}
		}
		for how, do := range harm {
			t.Run(file.Name()+" "+how, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "data")
				require.NoError(t, os.CopyFS(dir, os.DirFS(whole)))
				require.NoError(t, do(filepath.Join(dir, file.Name())))
				outcome[sound(t, dir, keys)]++
			})
		}
	}
	t.Log(outcome[true], "opened whole,", outcome[false], "refused")
	require.Greater(t, outcome[false], 40)
}

// sound is whether a store is opened and has every key; if it has not, it has said so.
func sound(t *testing.T, dir string, keys []string) bool {
	t.Helper()
	db, err := Open(Options{Dir: dir, MemTable: 256 << 10})
	if err != nil {
		var damage *DamageError
		require.ErrorAs(t, err, &damage)
		require.Contains(t, err.Error(), dir)
		require.NotContains(t, err.Error(), "goroutine")
		return false
	}
	defer func() { _ = db.Close() }() // it may not be able to
	for _, key := range keys {
		_, closer, err := db.Get([]byte(key))
		if err != nil {
			require.True(t, pebble.IsCorruptionError(err), "%s: %v", key, err)
			return false
		}
		require.NoError(t, closer.Close())
	}
	return true
}

// TestInUse: a store that somebody else has open is not called damaged.
func TestInUse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	db := open(t, nil, dir)
	_, err := Open(Options{Dir: dir, MemTable: 1 << 20})
	require.ErrorContains(t, err, "in use")
	require.False(t, errors.As(err, new(*DamageError)))
	require.NoError(t, db.Close())
	require.NoError(t, open(t, nil, dir).Close())
}

// TestWaiters: while one commit waits for room, Room says so to the next.
func TestWaiters(t *testing.T) {
	t.Parallel()
	s := disktest.NewSmall("data", 64<<20)
	db := open(t, s, "data")
	require.NoError(t, set(t, db, "before", nil))
	b := db.NewBatch()
	require.NoError(t, b.Set([]byte("waits"), []byte(disktest.Text(300_000)), nil))
	s.Fill(0)
	done := make(chan error, 1)
	go func() { done <- db.Commit(b, 1) }()
	require.Eventually(t, db.Waits, time.Minute, time.Millisecond)
	require.ErrorContains(t, db.Room(0), "make room there")
	s.Resize(64 << 20)
	require.NoError(t, <-done)
	require.False(t, db.Waits())
	require.NoError(t, db.Room(0))
	require.NoError(t, db.Close())
}

// TestLossIsAccepted: what is left is opened if somebody says so, and then it is the truth.
func TestLossIsAccepted(t *testing.T) {
	t.Parallel()
	dir, keys := written(t)
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	for _, log := range logs {
		require.NoError(t, os.Truncate(log, 0))
	}
	_, err = Open(Options{Dir: dir, MemTable: 256 << 10})
	var damage *DamageError
	require.ErrorAs(t, err, &damage)
	require.NoError(t, damage.Cause)
	require.Equal(t, uint64(len(keys)), damage.Acknowledged)
	require.Less(t, damage.Found, damage.Acknowledged)
	require.WithinDuration(t, time.Now(), damage.At, time.Minute)

	var said strings.Builder
	db, err := Open(Options{Dir: dir, MemTable: 256 << 10, AcceptLoss: true, Log: slog.New(slog.NewTextHandler(&said, nil))})
	require.NoError(t, err)
	require.Contains(t, said.String(), "a loss is accepted")
	has(t, db, keys[:damage.Found]...)
	_, _, err = db.Get([]byte(keys[damage.Found]))
	require.ErrorIs(t, err, pebble.ErrNotFound, "what is said to be gone is gone, and nothing else")
	require.NoError(t, set(t, db, "k", nil))
	require.NoError(t, db.Close())
	db = open(t, nil, dir)
	require.Equal(t, damage.Found+1, db.counter.changes)
	require.NoError(t, db.Close())
}

// TestDamageWithoutAMark: a message that names a time which nobody knows would send people looking for it.
func TestDamageWithoutAMark(t *testing.T) {
	t.Parallel()
	e := &DamageError{Dir: "data", Acknowledged: 7, Found: 5}
	require.Contains(t, e.Error(), "2 of 7 changes are gone that were acknowledged; bring back")
	e.At = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Contains(t, e.Error(), "acknowledged up to 2026-01-02 03:04:05 UTC; bring back")
}
