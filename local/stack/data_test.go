package stack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func start(data string, fresh bool) error {
	s, err := Start(Config{Only: []Part{Cosmos}, Data: data, Fresh: fresh})
	if err != nil {
		return err
	}
	return s.Close()
}

// write makes a file of a data folder.
func write(t *testing.T, text string, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

func TestDataFolderIsItsOwners(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, start(data, false))
	info, err := os.Stat(data)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	text, err := os.ReadFile(filepath.Join(data, "format"))
	require.NoError(t, err)
	require.Equal(t, "2\n", string(text))
	require.NoError(t, start(data, false), "again")
}

// TestEverythingInTheDataFolderIsItsOwners: the store, the bus, the certificates.
func TestEverythingInTheDataFolderIsItsOwners(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	for range 2 { // the second time on files that are there
		s, err := Start(Config{Only: []Part{Cosmos, Bus}, Data: data, CosmosTLS: true})
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
	seen := 0
	require.NoError(t, filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, "%s is %s", path, info.Mode())
		seen++
		return nil
	}))
	require.Greater(t, seen, 10)
}

// Keys and documents of an earlier version look different: the app would not find its own.
func TestDataOfAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ part, format, says string }{
		"no format":      {"cosmos", "", "no format"},
		"no format, bus": {"bus", "", "no format"},
		"earlier":        {"cosmos", "1\n", "format 1"},
		"later":          {"bus", "3\n", "format 3"},
		"nonsense":       {"bus", "\x00two", `format "\x00two"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			marker := filepath.Join(data, row.part, "marker")
			write(t, "", marker)
			if row.format != "" {
				write(t, row.format, data, "format")
			}
			err := start(data, false)
			require.ErrorIs(t, err, ErrOtherFormat)
			for _, word := range []string{data, row.says, "this version reads 2"} {
				require.ErrorContains(t, err, word)
			}
			require.FileExists(t, marker, "a refusal touches nothing")
			require.NoError(t, start(data, true), "afresh")
			require.NoFileExists(t, marker)
			require.NoError(t, start(data, false), "and again")
		})
	}
}

func TestAFolderWithoutDataIsTaken(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	write(t, "1\n", data, "format")
	write(t, "", data, "host", "timers")
	require.NoError(t, os.Mkdir(filepath.Join(data, "cosmos"), 0o700))
	require.NoError(t, start(data, false))
}

func TestAFileIsNoDataFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write(t, "", file)
	for _, data := range []string{file, filepath.Join(file, "below")} {
		err := start(data, false)
		require.ErrorIs(t, err, ErrNotAFolder)
		require.NotErrorIs(t, err, ErrInUse)
		require.ErrorContains(t, err, file)
	}
}

func TestAFolderOfSomebodyElse(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	parent := t.TempDir()
	require.NoError(t, os.Chmod(parent, 0o500)) //nolint:gosec // a folder needs its execute bit
	for _, data := range []string{parent, filepath.Join(parent, "below")} {
		err := start(data, false)
		require.ErrorIs(t, err, ErrNoAccess)
		require.NotErrorIs(t, err, ErrInUse)
		require.ErrorContains(t, err, data)
	}
}

// What keeps a lock from being taken is told apart by where it comes from: opening the file
// has a path, and the lock of another process has none.
func TestLockFault(t *testing.T) {
	t.Parallel()
	opening := func(err error) error { return &fs.PathError{Op: "open", Path: "d/lock", Err: err} }
	full := opening(syscall.ENOSPC)
	for _, row := range []struct{ err, want error }{
		{opening(syscall.EACCES), ErrNoAccess},
		{opening(syscall.EPERM), ErrNoAccess},
		{opening(syscall.ENOTDIR), ErrNotAFolder},
		{syscall.EAGAIN, ErrInUse},
		{syscall.EACCES, ErrInUse},
		{errors.New("lock held by current process"), ErrInUse},
		{full, full},
		{syscall.EPERM, ErrNoAccess},
		{syscall.ENOLCK, syscall.ENOLCK},
		{syscall.ENOTSUP, syscall.ENOTSUP},
	} {
		got := lockFault("d", row.err)
		require.ErrorIs(t, got, row.want)
		require.ErrorContains(t, got, "d")
		if row.want != ErrInUse { //nolint:errorlint // the sentinel itself
			require.NotErrorIs(t, got, ErrInUse)
		}
	}
}
