// Package disktest has a disk that can be filled.
//
// It promises what a file system does that is full: what fits of a write is written, and the error is ENOSPC.
package disktest

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Small is a disk in memory with a size. Only the files of one folder count.
type Small struct {
	vfs.FS
	dir   string
	total atomic.Uint64
}

// NewSmall makes a disk of so many bytes, for a store in dir.
func NewSmall(dir string, total uint64) *Small {
	s := &Small{FS: vfs.NewMem(), dir: dir}
	s.total.Store(total)
	return s
}

// Used is what is on the disk.
func (s *Small) Used() (sum uint64) {
	names, _ := s.List(s.dir) // none before the first file
	for _, name := range names {
		if is, err := s.Stat(s.PathJoin(s.dir, name)); err == nil && !is.IsDir() {
			sum += uint64(is.Size())
		}
	}
	return sum
}

// Resize makes the disk larger, or smaller than what is on it.
func (s *Small) Resize(total uint64) { s.total.Store(total) }

// Fill leaves so many bytes free, as if somebody else had taken the rest.
func (s *Small) Fill(left uint64) { s.total.Store(s.Used() + left) }

// GetDiskUsage is vfs.FS's.
func (s *Small) GetDiskUsage(string) (vfs.DiskUsage, error) {
	used, total := s.Used(), s.total.Load()
	return vfs.DiskUsage{TotalBytes: total, UsedBytes: used, AvailBytes: total - min(used, total)}, nil
}

// Create is vfs.FS's.
func (s *Small) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, category)
	return file{f, s}, err
}

// ReuseForWrite is vfs.FS's.
func (s *Small) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.ReuseForWrite(oldname, newname, category)
	return file{f, s}, err
}

type file struct {
	vfs.File
	disk *Small
}

func (f file) Write(p []byte) (int, error) {
	usage, _ := f.disk.GetDiskUsage("") // it has none
	if uint64(len(p)) <= usage.AvailBytes {
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:usage.AvailBytes])
	return n, errors.Join(err, syscall.ENOSPC)
}

// Text is n letters that cannot be compressed much.
func Text(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, n)
	for i, dice := 0, uint64(0); i < n; i++ {
		if i%10 == 0 {
			dice = rand.Uint64()
		}
		b[i] = letters[dice%64]
		dice /= 64
	}
	return string(b)
}
