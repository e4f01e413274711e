package stack

import (
	"archive/zip"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// packed is the time of every entry: the oldest one that the format can say.
var packed = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Archive packs an assembled app into the zip file that a deployment takes. The modes
// in it are the app's, wherever it is made: 0755 for the handler, 0644 for the rest. The
// same app gives the same bytes. The file takes its place at the end; a folder that holds
// anything but an app is refused with ErrNotPlain.
func Archive(app, file string) error {
	if err := outside(app, file); err != nil {
		return err
	}
	entries, err := contents(app)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()) }() // gone already when all went well
	err = pack(out, app, entries)
	if err = errors.Join(err, out.Chmod(0o644), out.Close()); err != nil {
		return fmt.Errorf("pack %s: %w", app, err)
	}
	return os.Rename(out.Name(), file)
}

// outside guards against a package inside the folder that it packs: that would go to Azure
// with the next one, and with func or azd at once.
func outside(app, file string) error {
	at, err := filepath.Abs(app)
	if err != nil {
		return err
	}
	to, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(at, to); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("%s lies in the app folder; name a file beside it", file)
	}
	return nil
}

// entry is one file of an app.
type entry struct {
	name string // with forward slashes
	mode fs.FileMode
}

// contents lists what belongs into the package, sorted by name, and refuses the rest: a
// local.settings.json holds secrets, and a stray file is a mistake that would go to Azure.
func contents(app string) ([]entry, error) {
	host, err := os.ReadFile(filepath.Join(app, "host.json"))
	if err != nil {
		return nil, fmt.Errorf("%w; assemble the app first", err)
	}
	executable, err := executableOf(host)
	if err != nil {
		return nil, err
	}
	modes := map[string]fs.FileMode{"host.json": 0o644, filepath.ToSlash(executable): 0o755}
	functions, err := filepath.Glob(filepath.Join(app, "*", "function.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range functions {
		modes[filepath.Base(filepath.Dir(file))+"/function.json"] = 0o644
	}
	var list []entry
	err = filepath.WalkDir(app, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(app, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		mode, ok := modes[name]
		if !ok || !d.Type().IsRegular() {
			return fmt.Errorf("%s: %w", path, ErrNotPlain)
		}
		delete(modes, name)
		list = append(list, entry{name, mode})
		return nil
	})
	for name := range modes {
		err = errors.Join(err, fmt.Errorf("%s: %w", filepath.Join(app, name), fs.ErrNotExist))
	}
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return list, err
}

func pack(w io.Writer, app string, entries []entry) error {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: packed}
		header.SetMode(e.mode)
		to, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		from, err := os.Open(filepath.Join(app, filepath.FromSlash(e.name)))
		if err != nil {
			return err
		}
		_, err = io.Copy(to, from)
		if err = errors.Join(err, from.Close()); err != nil {
			return err
		}
	}
	return z.Close()
}
