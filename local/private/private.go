// Package private keeps what the stand-ins store to the user who runs them: it is what an
// app's users wrote.
//
// Promise: folders are made with mode 0700 and files with 0600, whatever the umask allows.
// What is there already keeps its mode until it is written anew.
package private

import (
	"errors"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Modes of what is made.
const (
	Folder os.FileMode = 0o700
	File   os.FileMode = 0o600
)

// FS is the operating system's file system, kept private. A store has it instead of
// vfs.Default, which makes everything readable for everybody.
func FS() vfs.FS { return private{vfs.Default} }

type private struct{ vfs.FS }

// MkdirAll makes folders for their owner only, whatever mode is asked for.
func (p private) MkdirAll(dir string, _ os.FileMode) error { return p.FS.MkdirAll(dir, Folder) }

func (p private) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.Create(name, category)
	return own(name, f, err)
}

func (p private) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := p.FS.OpenReadWrite(name, category, opts...)
	return own(name, f, err)
}

func (p private) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.ReuseForWrite(oldname, newname, category)
	return own(newname, f, err)
}

func (p private) Lock(name string) (io.Closer, error) {
	lock, err := p.FS.Lock(name)
	return own(name, lock, err)
}

func (p private) Unwrap() vfs.FS { return p.FS }

// own makes a file that was just opened its owner's, or closes it.
func own[F io.Closer](name string, f F, err error) (F, error) {
	if err != nil {
		return f, err
	}
	if err := os.Chmod(name, File); err != nil {
		var none F
		return none, errors.Join(err, f.Close())
	}
	return f, nil
}
