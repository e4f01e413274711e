package parts

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
)

// Launcher starts parts, each with a data folder and a log of its own.
type Launcher struct {
	// Relaybox is the program that runs the parts.
	Relaybox string
	// Dir keeps their data and logs.
	Dir string
	// Note tells what happens to them; it may be nil.
	Note func(format string, args ...any)

	work  sync.WaitGroup
	files []*os.File
}

// Launch starts a relaybox up, until ctx ends.
func (l *Launcher) Launch(ctx context.Context, name string, env map[string]string, args ...string) (*Process, error) {
	dir := filepath.Join(l.Dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(l.Dir, name+".log"))
	if err != nil {
		return nil, err
	}
	l.files = append(l.files, log)
	data := filepath.Join(dir, "data")
	args = append([]string{"up", "--data", data}, args...)
	environ := os.Environ()
	for _, setting := range slices.Sorted(maps.Keys(env)) {
		environ = append(environ, setting+"="+env[setting])
	}
	note := l.Note
	if note == nil {
		note = func(string, ...any) {}
	}
	p := New(name, log, note, func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, l.Relaybox, args...)
		cmd.Dir, cmd.Env = dir, environ // no local.settings.json of anybody's
		return cmd
	})
	p.Data = data
	l.work.Go(func() { p.Run(ctx) })
	return p, nil
}

// Wait returns when all processes have ended, which the end of their contexts makes them.
func (l *Launcher) Wait() {
	l.work.Wait()
	for _, f := range l.files {
		_ = f.Close() // logs are for people
	}
	l.files = nil
}

// StoreArgs and BusArgs are what a store and a bus on free ports are started with.
func StoreArgs() []string { return []string{"--only", "cosmos", "--cosmos-addr", "127.0.0.1:0"} }

// BusArgs: config is a file that Topology has made.
func BusArgs(config string) []string {
	return []string{"--only", "bus", "--bus-addr", "127.0.0.1:0", "--bus-admin-addr", "127.0.0.1:0", "--bus-config", config}
}

// HostArgs are what a host of an assembled app on a free port is started with.
func HostArgs(app string) []string {
	return []string{"--only", "host", "--app", app, "--host-addr", "127.0.0.1:0"}
}

var address = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

// Address is the host and port in a connection string of a part.
func Address(connection string) string { return address.FindString(connection) }
