package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/relaybox/relaybox/local/private"
)

// folders are what a data folder holds for the parts.
var folders = []string{"cosmos", "bus", "nats", "host"}

// format numbers what the app and the stand-ins write: keys, documents, containers, entities
// of the bus. A folder with another number is refused, not read wrongly.
const format = 2

// lockData makes the data folder and takes it. The operating system frees the lock when
// the process dies, however it dies.
func (s *Stack) lockData() error {
	data := s.cfg.Data
	if data == "" {
		return nil
	}
	if err := os.MkdirAll(data, private.Folder); err != nil { // it holds what the app's users wrote
		return folderFault(data, err)
	}
	lock, err := private.FS().Lock(filepath.Join(data, "lock"))
	if err != nil {
		return lockFault(data, err)
	}
	s.closer = append(s.closer, lock.Close)
	if s.cfg.Fresh {
		for _, part := range folders {
			if err := os.RemoveAll(s.folder(part)); err != nil {
				return folderFault(data, err)
			}
		}
	}
	return s.checkFormat()
}

// lockFault says why the lock could not be taken. What names a file, has to do with rights or
// with a file system that knows no locks is about the folder; the rest is a lock that somebody
// holds, and so is EACCES without a file: POSIX lets fcntl say it in place of EAGAIN.
func lockFault(data string, err error) error {
	_, named := errors.AsType[*fs.PathError](err)
	mayNot := errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EACCES)
	if named || mayNot || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK) {
		return folderFault(data, err)
	}
	return fmt.Errorf("%s: %w (%v)", data, ErrInUse, err)
}

// folderFault says why the folder cannot be used.
func folderFault(data string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s: %w (%w)", data, ErrNotAFolder, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w (%w)", data, ErrNoAccess, err)
	}
	return fmt.Errorf("data folder %s: %w", data, err)
}

// checkFormat refuses data that another version wrote. A folder without data gets this
// version's number, ahead of the data.
func (s *Stack) checkFormat() error {
	file := filepath.Join(s.cfg.Data, "format")
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return folderFault(s.cfg.Data, err)
	}
	found := strings.TrimSpace(string(text))
	if found == strconv.Itoa(format) {
		return nil
	}
	for _, part := range []string{"cosmos", "bus", "nats"} {
		held, err := os.ReadDir(s.folder(part))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return folderFault(s.cfg.Data, err)
		}
		if len(held) > 0 {
			return fmt.Errorf("%s: %w (it has %s, and this version reads %d)", s.cfg.Data, ErrOtherFormat, formatName(found), format)
		}
	}
	return writeDurably(file, strconv.Itoa(format)+"\n")
}

func formatName(found string) string {
	if _, err := strconv.Atoi(found); err == nil {
		return "format " + found
	}
	if found == "" {
		return "no format"
	}
	return fmt.Sprintf("format %q", found)
}

// writeDurably: after a power cut, data without its number would be refused.
func writeDurably(file, text string) (err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, private.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Sync()
}
