package stack

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// folders are what a data folder holds for the parts.
var folders = []string{"cosmos", "bus", "host"}

// lockData makes the data folder and takes it. The operating system frees the lock when
// the process dies, however it dies.
func (s *Stack) lockData() error {
	if s.cfg.Data == "" {
		return nil
	}
	if err := os.MkdirAll(s.cfg.Data, 0o755); err != nil {
		return err
	}
	lock, err := vfs.Default.Lock(filepath.Join(s.cfg.Data, "lock"))
	if err != nil {
		return fmt.Errorf("%s: %w (%v)", s.cfg.Data, ErrInUse, err)
	}
	s.closer = append(s.closer, lock.Close)
	if !s.cfg.Fresh {
		return nil
	}
	for _, part := range folders {
		if err := os.RemoveAll(s.folder(part)); err != nil {
			return fmt.Errorf("forget the data of %s: %w", part, err)
		}
	}
	return nil
}
