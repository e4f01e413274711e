package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Build says what Assemble builds.
type Build struct {
	// Source is the root of the source tree: see FindSource.
	Source string
	// OS and Arch are the target, as in GOOS and GOARCH; default: this machine.
	OS, Arch string
}

// FindSource returns the source tree that dir is in: the nearest folder at or above it
// that holds go.mod, host.json, handler/ and functions/. ErrNoSource if there is none.
func FindSource(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if isSource(at) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s: %w", dir, ErrNoSource)
		}
	}
}

func isSource(dir string) bool {
	for _, name := range []string{"go.mod", "host.json", "handler", "functions"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// Assemble writes the deployable app: host.json, the handler and one folder with
// function.json for each function, which is all that a Functions host looks at. The
// same source and toolchain give the same bytes and modes.
//
// The folder is made beside out and takes its place at the end, so a host never finds
// half of one. What is at out is replaced only if it is an app itself: ErrNotAnApp.
func Assemble(ctx context.Context, b Build, out string) error {
	if b.OS == "" {
		b.OS = runtime.GOOS
	}
	if b.Arch == "" {
		b.Arch = runtime.GOARCH
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	if err := replaceable(out); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(out), filepath.Base(out)+".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(fresh) }() // gone already when all went well
	if err := b.fill(ctx, fresh); err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	return os.Rename(fresh, out)
}

// replaceable guards against a mistyped --out: nothing but an app, an empty folder or
// nothing at all may be there.
func replaceable(out string) error {
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) == 0:
		return nil
	case isSource(out):
		return fmt.Errorf("%s: %w", out, ErrNotAnApp)
	}
	if _, err := os.Stat(filepath.Join(out, "host.json")); err != nil {
		return fmt.Errorf("%s: %w", out, ErrNotAnApp)
	}
	return nil
}

func (b Build) fill(ctx context.Context, dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	host, err := os.ReadFile(filepath.Join(b.Source, "host.json"))
	if err != nil {
		return err
	}
	if err := place(filepath.Join(dir, "host.json"), host, 0o644); err != nil {
		return err
	}
	executable, err := executableOf(host)
	if err != nil {
		return err
	}
	if err := b.copyFunctions(dir); err != nil {
		return err
	}
	return b.compile(ctx, filepath.Join(dir, executable))
}

// executableOf reads where host.json wants the handler.
func executableOf(host []byte) (string, error) {
	var settings struct {
		CustomHandler struct {
			Description struct {
				DefaultExecutablePath string `json:"defaultExecutablePath"`
			} `json:"description"`
		} `json:"customHandler"`
	}
	if err := json.Unmarshal(host, &settings); err != nil {
		return "", fmt.Errorf("read host.json: %w", err)
	}
	path := settings.CustomHandler.Description.DefaultExecutablePath
	if !filepath.IsLocal(path) {
		return "", fmt.Errorf("host.json: customHandler.description.defaultExecutablePath is %q; it must name a file inside the app", path)
	}
	return path, nil
}

// copyFunctions copies function.json of every direct child of functions/ that has one:
// the rule by which a host finds functions (functions-host.md §1.1).
func (b Build) copyFunctions(dir string) error {
	found, err := filepath.Glob(filepath.Join(b.Source, "functions", "*", "function.json"))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("%s: no folder in it has a function.json", filepath.Join(b.Source, "functions"))
	}
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := filepath.Base(filepath.Dir(file))
		if err := place(filepath.Join(dir, name, "function.json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compile builds the handler. Nothing of the machine goes into it: no paths, no
// version control state, no build id, no C library.
func (b Build) compile(ctx context.Context, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", out, "./handler")
	cmd.Dir = b.Source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+b.OS, "GOARCH="+b.Arch)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build the handler: %w\n%s", err, strings.TrimSpace(said.String()))
	}
	return os.Chmod(out, 0o755)
}

// place writes a file with exactly this mode, whatever the umask.
func place(path string, text []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, text, mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
