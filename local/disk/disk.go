package disk

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relaybox/relaybox/local/private"
)

// DB is a store. What Pebble offers is there but for commits, which are Commit's.
type DB struct {
	*pebble.DB

	log   *slog.Logger
	guard *guard   // nil: in memory
	file  vfs.File // of the mark; nil: in memory

	counter counter
	logs    atomic.Uint64 // number of the newest log

	full   atomic.Bool // the disk is, as Room has said
	hurry  sync.Once
	lock   *pebble.Lock // of the folder; nil: in memory
	mu     sync.Mutex
	failed chan struct{} // closed when the store cannot go on
	err    error         // why; valid after failed
}

// Options are where a store is and how it is made.
type Options struct {
	Dir  string // "": in memory
	FS   vfs.FS // of Dir; nil: the operating system's, for the owner only
	Log  *slog.Logger
	Tune func(*pebble.Options) // what is not as Pebble's own; nil: nothing

	MemTable   uint64 // bytes that are kept in memory until they are written to a table; less on a small disk
	AcceptLoss bool   // open a damaged store, if it can be, and go on with what is there
}

// Open opens a store, or makes one. FullError and DamageError say why it does not.
func Open(o Options) (*DB, error) {
	db := &DB{log: o.Log, failed: make(chan struct{})}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if o.FS == nil {
		o.FS = private.FS()
	}
	if o.Dir == "" {
		o.FS = vfs.NewMem()
		return db, db.open(o, o.FS)
	}
	if err := o.FS.MkdirAll(o.Dir, private.Folder); err != nil {
		return nil, err
	}
	table := uint64(0)
	if usage, err := o.FS.GetDiskUsage(o.Dir); err == nil {
		table = usage.TotalBytes / 32
	}
	if table > 0 {
		o.MemTable = min(o.MemTable, max(table, 256<<10))
	}
	// A full disk must still take the tables that are in memory, their logs, and what describes them.
	db.guard = &guard{FS: o.FS, dir: o.Dir, reserve: 4 * o.MemTable, closing: make(chan struct{}), fail: db.fail, log: db.log}
	if full := db.guard.room(0); full != nil {
		full.start = true
		return nil, full
	}
	var err error
	if db.lock, err = pebble.LockDirectory(o.Dir, o.FS); err != nil {
		return nil, fmt.Errorf("the store in %s is in use, or cannot be locked: %w", o.Dir, err)
	}
	if err := db.openLocked(o); err != nil {
		return nil, errors.Join(err, db.lock.Close())
	}
	return db, nil
}

func (db *DB) openLocked(o Options) error {
	counted, loss, err := db.examine(o)
	if err != nil {
		return err
	}
	db.logs.Store(counted.log) // which is none of this process
	if err := db.openBeforeFull(o); err != nil {
		return err
	}
	db.counter.changes = counted.found
	if db.file, err = o.FS.OpenReadWrite(db.markName(), vfs.WriteCategoryUnspecified); err != nil {
		return errors.Join(err, db.close())
	}
	if loss {
		if err := db.recount(); err != nil {
			return errors.Join(err, db.close())
		}
	}
	db.acknowledge()
	return nil
}

// openBeforeFull opens the store, or says that the disk has filled meanwhile.
func (db *DB) openBeforeFull(o Options) error {
	opened := make(chan error, 1)
	go func() { opened <- db.open(o, db.guard) }()
	tick := time.NewTicker(10 * again)
	defer tick.Stop()
	for {
		select {
		case err := <-opened:
			return o.fault(err)
		case <-db.failed:
			return db.err
		case <-tick.C:
			if db.guard.waiting.Load() > 0 {
				db.Hurry() // what opens it stays where it is
				return &FullError{Dir: o.Dir, Needed: db.guard.reserve, start: true}
			}
		}
	}
}

// fault tells a store that is damaged from one that the system does not let us open.
func (o Options) fault(err error) error {
	if err == nil {
		return nil
	}
	errno := syscall.ENOENT
	if errors.As(err, &errno) && errno != syscall.ENOENT || strings.Contains(err.Error(), "unknown format major version") {
		return fmt.Errorf("open the store in %s: %w", o.Dir, err)
	}
	return &DamageError{Dir: o.Dir, Cause: err}
}

func (db *DB) open(o Options, fs vfs.FS) (err error) {
	options := &pebble.Options{FS: fs, Lock: db.lock, Logger: logger{db}, FormatMajorVersion: pebble.FormatNewest, MemTableSize: o.MemTable}
	// Tables that find no room to be merged in must not hold writes up: Room says when there is none, and a small disk has
	// no place for as many.
	options.L0StopWritesThreshold = 100
	if o.Tune != nil {
		o.Tune(options)
	}
	options.EventListener = &pebble.EventListener{
		WALCreated: func(pebble.WALCreateInfo) { db.logs.Add(1) },
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			db.log.Error("the store is damaged", "dir", o.Dir, "file", i.Path, "error", i.Details)
		},
		BackgroundError: func(err error) { db.tell(err) },
	}
	if db.guard != nil {
		options.EventListener.FlushEnd = func(i pebble.FlushInfo) { db.guard.flushes.ended(i.Err) }
		options.EventListener.CompactionEnd = func(i pebble.CompactionInfo) { db.guard.merges.ended(i.Err) }
	}
	db.DB, err = pebble.Open(o.Dir, options)
	return err
}

// tell says what failed in the background, but for want of room, which Room says.
func (db *DB) tell(err error) {
	if !noRoom(err) {
		db.log.Error("the store cannot put away what it was given", "error", err)
	}
}

// examine counts the changes of the store in o.Dir, and says whether they are all that was acknowledged; a loss is one that
// was accepted. It changes nothing: a log that is damaged stays for who can mend it.
func (db *DB) examine(o Options) (is count, loss bool, err error) {
	there, err := pebble.Peek(o.Dir, o.FS)
	if err != nil {
		return is, false, o.fault(err)
	}
	acknowledged, err := readMark(o.FS, db.markName())
	if errors.Is(err, errMark) {
		db.log.Warn("nobody knows whether the end of the store is there: what says so is damaged", "error", err)
	} else if err != nil {
		return is, false, err
	}
	if there.Exists {
		is, err = countIn(o, db.lock)
	} else if left := remains(o.FS, o.Dir); left != "" {
		err = fmt.Errorf("%s is there, and the marker of its manifest is not", left)
	}
	if err != nil {
		return is, false, o.fault(err)
	}
	if is.last > 0 && acknowledged.changes == 0 {
		db.log.Warn("nobody knows whether the end of the store is there: what says so is gone", "file", db.markName())
	}
	damage := &DamageError{Dir: o.Dir, Acknowledged: max(is.last, acknowledged.changes), Found: is.found, At: acknowledged.at}
	switch {
	case damage.Found == damage.Acknowledged:
		return is, false, nil
	case !o.AcceptLoss:
		return is, false, damage
	}
	db.log.Warn("a loss is accepted", "error", damage)
	return is, true, nil
}

// remains is a file of a store in a folder that has no store.
func remains(fs vfs.FS, dir string) string {
	names, _ := fs.List(dir)
	for _, name := range names {
		number, kind, _ := strings.Cut(name, ".")
		if _, err := strconv.ParseUint(number, 10, 64); err == nil && (kind == "sst" || kind == "log" || kind == "blob") {
			return name
		}
	}
	return ""
}

func (db *DB) markName() string { return db.guard.PathJoin(db.guard.dir, markName) }

// acknowledge notes how many changes there are. A note that cannot be written is an older note.
func (db *DB) acknowledge() {
	b := mark{db.counter.changes, time.Now()}.bytes()
	if _, err := db.file.WriteAt(b[:], 0); err != nil {
		db.log.Warn("what was acknowledged cannot be noted", "error", err)
	}
}

// Room is nil when n bytes more may be written, and a FullError when not.
func (db *DB) Room(n int) error {
	if db.guard == nil {
		return nil
	}
	full := db.guard.room(uint64(n))
	if full == nil {
		if db.full.Load() && db.full.CompareAndSwap(true, false) {
			db.log.Info("there is room again, and writes go on", "dir", db.guard.dir)
		}
		return nil
	}
	if db.full.CompareAndSwap(false, true) {
		db.log.Error("writes are refused", "error", full)
	}
	return full
}

// Waits is whether something that was taken already finds no room.
func (db *DB) Waits() bool { return db.guard != nil && db.guard.waiting.Load() > 0 }

// Commit makes a batch of so many changes durable, and closes it. One may run at a time. An error is final: the store cannot
// go on.
func (db *DB) Commit(b *pebble.Batch, changes int) error {
	if db.guard == nil {
		return errors.Join(db.Apply(b, pebble.Sync), b.Close())
	}
	if err := db.Err(); err != nil {
		return err
	}
	db.counter.number(b, db.logs.Load(), changes)
	done := make(chan error, 1)
	go func() { done <- errors.Join(db.Apply(b, pebble.Sync), b.Close()) }() // where the disk fails, it never ends
	select {
	case err := <-done:
		if err == nil {
			db.acknowledge()
		}
		return err
	case <-db.failed:
		return db.err
	}
}

// Failed is closed when the store cannot go on; Err says why.
func (db *DB) Failed() <-chan struct{} { return db.failed }

// Err is why the store cannot go on; nil while it can.
func (db *DB) Err() error {
	select {
	case <-db.failed:
		return db.err
	default:
		return nil
	}
}

func (db *DB) fail(err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.Err() == nil {
		db.err = fmt.Errorf("the store in %s cannot go on: %w", db.guard.dir, err)
		close(db.failed)
		db.log.Error("writes are refused from now on; what was acknowledged is there", "error", db.err)
	}
}

// Hurry has no write wait for room from now on: the store is about to be closed. One that would wait ends it.
func (db *DB) Hurry() {
	if db.guard != nil {
		db.hurry.Do(func() { close(db.guard.closing) })
	}
}

// Close closes the store. One that cannot go on, or finds no room to close, is left as after a crash: nothing that was
// acknowledged is lost.
func (db *DB) Close() error {
	if db.guard == nil {
		return db.DB.Close()
	}
	return errors.Join(db.close(), db.lock.Close())
}

func (db *DB) close() error {
	if err := db.Err(); err != nil {
		return err
	}
	db.Hurry()
	closed := make(chan error, 1)
	go func() { closed <- db.DB.Close() }()
	select {
	case err := <-closed:
		if db.file != nil {
			err = errors.Join(err, db.file.Close())
		}
		return err
	case <-db.failed:
		return db.err
	}
}

// logger passes on only what a person must act on.
type logger struct{ db *DB }

func (logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.db.log.Error("store", "error", fmt.Sprintf(format, args...))
}

// Fatalf is where Pebble expects the process to end. The store does, and whoever works on it in the background.
func (l logger) Fatalf(format string, args ...any) {
	err := error(&fatal{fmt.Sprintf(format, args...), args})
	if l.db.guard == nil {
		panic(err) // memory cannot fail
	}
	l.db.fail(err)
	select {}
}

// fatal is an error with those that it was made of.
type fatal struct {
	text string
	args []any
}

func (f *fatal) Error() string { return f.text }

func (f *fatal) Unwrap() (causes []error) {
	for _, arg := range f.args {
		if err, is := arg.(error); is {
			causes = append(causes, err)
		}
	}
	return causes
}
