package disk

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relaybox/relaybox/internal/pace"
)

// again is how often what found the disk full tries anew.
const again = 50 * time.Millisecond

// rest is how long tables are not rewritten after that has failed: Pebble itself would try at once, for ever.
var rest = pace.Backoff{First: 100 * time.Millisecond, Max: 30 * time.Second}

// guard is the file system under a store. A write that finds no room waits for some, but for those of a
// compaction, which gives back what it has taken and comes again: it may need more than there will ever be.
// Pebble panics, or ends the process, when a log or the manifest cannot be written: it is not told, and
// whoever works on that stays where he is.
type guard struct {
	vfs.FS
	dir     string
	reserve uint64
	closing chan struct{} // nothing waits for room any more
	fail    func(error)   // the store cannot go on
	log     *slog.Logger

	waiting atomic.Int32 // writes that found no room
	flushes failures
	merges  failures // of compactions
}

// failures count what has failed in a row.
type failures struct {
	n    atomic.Int32
	full atomic.Bool // the last of them, for want of room
}

func (f *failures) ended(err error) {
	if err == nil {
		f.n.Store(0)
		return
	}
	f.full.Store(noRoom(err))
	f.n.Add(1)
}

// of are the failures of the kind of work that a file is written in; nil: of a log, the manifest and the like.
func (g *guard) of(category vfs.DiskWriteCategory) *failures {
	switch category {
	case "pebble-memtable-flush":
		return &g.flushes
	case "pebble-compaction", "pebble-blob-file-rewrite":
		return &g.merges
	}
	return nil
}

func (g *guard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(category, func() (vfs.File, error) { return g.FS.Create(name, category) })
}

func (g *guard) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(category, func() (vfs.File, error) { return g.FS.ReuseForWrite(oldname, newname, category) })
}

func (g *guard) Unwrap() vfs.FS { return g.FS }

func (g *guard) file(category vfs.DiskWriteCategory, open func() (vfs.File, error)) (vfs.File, error) {
	f := guarded{g: g, work: g.of(category)}
	if f.work != nil {
		g.rest(f.work)
	}
	err := f.patiently(func() (err error) { f.File, err = open(); return err })
	if err != nil {
		return nil, err
	}
	return f, nil
}

// rest waits before work is tried that has failed: for its time, or until there is plenty of what it lacked.
func (g *guard) rest(work *failures) {
	until := time.Now().Add(rest.Ceiling(int(work.n.Load())))
	for work.n.Load() > 0 && time.Now().Before(until) {
		if work.full.Load() && g.room(2*g.reserve) == nil {
			return
		}
		if !g.sleep(again) {
			time.Sleep(again) // Pebble tries until it is closed
			return
		}
	}
}

// sleep returns false when the store closes.
func (g *guard) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-g.closing:
		return false
	}
}

func noRoom(err error) bool { return vfs.IsNoSpaceError(err) || errors.Is(err, syscall.EDQUOT) }

// room is nil when n bytes leave the reserve untouched, or when nobody knows.
func (g *guard) room(n uint64) *FullError {
	usage, err := g.GetDiskUsage(g.dir)
	if err != nil || (usage.AvailBytes >= g.reserve+n && g.waiting.Load() == 0) {
		return nil
	}
	return &FullError{Dir: g.dir, Free: usage.AvailBytes, Needed: g.reserve + n}
}

// guarded is a file that is written.
type guarded struct {
	vfs.File
	g    *guard
	work *failures // whose file it is; nil: a log, the manifest and the like
}

func (f guarded) Write(p []byte) (n int, err error) {
	if f.work == &f.g.merges && f.g.room(f.g.reserve/4+uint64(len(p))) != nil { // writers come first
		return 0, syscall.ENOSPC
	}
	err = f.patiently(func() error {
		k, err := f.File.Write(p[n:])
		n += k
		return err
	})
	return n, err
}

// patiently does what may find no room, until it finds some or the store closes.
func (f guarded) patiently(do func() error) error {
	err := do()
	if noRoom(err) && f.work != &f.g.merges {
		if f.g.waiting.Add(1) == 1 {
			f.g.log.Error("what was taken already waits, because there is no room for it", "dir", f.g.dir, "error", err)
		}
		for noRoom(err) && f.g.sleep(again) {
			err = do()
		}
		f.g.waiting.Add(-1)
	}
	return f.whole(err)
}

// whole returns an error where Pebble can bear one.
func (f guarded) whole(err error) error {
	if err == nil || f.work != nil {
		return err
	}
	f.g.fail(err)
	select {}
}

func (f guarded) Sync() error     { return f.whole(f.File.Sync()) }
func (f guarded) SyncData() error { return f.whole(f.File.SyncData()) }

func (f guarded) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.whole(err)
}
