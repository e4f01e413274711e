package chaos

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// diskBytes is the size of a server's disk of its own.
const diskBytes = 1 << 30

// mount gives a folder a small file system of its own, in memory, so that it can be filled.
func mount(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("relaybox-chaos", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", diskBytes)); err != nil {
		return fmt.Errorf("give %s a disk of its own: %w; that needs the right to mount", dir, err)
	}
	return nil
}

// unmount ends a file system. What it held is copied beside it first if it is evidence.
func unmount(dir string, keep bool) error {
	var err error
	if keep {
		err = os.CopyFS(dir+"-kept", os.DirFS(dir))
	}
	return errors.Join(err, syscall.Unmount(dir, syscall.MNT_DETACH))
}

const ballast = "ballast"

// fill leaves no byte free below dir.
func fill(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, ballast), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for len(zeros) > 0 {
		if _, err := file.Write(zeros); err != nil {
			zeros = zeros[:len(zeros)/2]
		}
	}
	return file.Close()
}

// empty frees what fill took.
func empty(dir string) error {
	err := os.Remove(filepath.Join(dir, ballast))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
