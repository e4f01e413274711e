package chaos

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/test/mutants"
)

// shows are the breaches by which a broken guarantee is seen.
var shows = map[mutants.Guarantee][]Kind{
	mutants.TrueAnswers: {Unordered},
	mutants.NoLoss:      {Lost, Behind, Stuck},
	mutants.NoPhantom:   {Phantom},
	mutants.Order:       {Disorder},
	mutants.OneEffect:   {Doubled},
}

// workshop builds the program once, and apps of it.
type workshop struct{ source, relaybox, app string }

func open(t *testing.T) workshop {
	t.Helper()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	dir := t.TempDir()
	w := workshop{source, filepath.Join(dir, "relaybox"), filepath.Join(dir, "app")}
	w.build(t, w.relaybox, "./cmd/relaybox")
	require.NoError(t, stack.Assemble(t.Context(), stack.Build{Source: source}, w.app))
	return w
}

func (w workshop) build(t *testing.T, out, what string, flags ...string) {
	t.Helper()
	args := slices.Concat([]string{"build", "-o", out}, flags, []string{what})
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = w.source
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
}

// mutant is a copy of the app with another handler.
func (w workshop) mutant(t *testing.T, m mutants.Mutant) string {
	t.Helper()
	app := filepath.Join(t.TempDir(), "app")
	require.NoError(t, os.CopyFS(app, os.DirFS(w.app)))
	overlay, err := m.Overlay(w.source, t.TempDir())
	require.NoError(t, err)
	w.build(t, filepath.Join(app, "handler"), "./handler", "-overlay", overlay)
	return app
}

// run breaks an app for a while and returns what was found.
func (w workshop) run(t *testing.T, app string, drain time.Duration) *Report {
	t.Helper()
	var out io.Writer = io.Discard
	if testing.Verbose() {
		out = t.Output()
	}
	report, err := Run(t.Context(), Options{
		Relaybox: w.relaybox, App: app, Dir: t.TempDir(), Out: out,
		// The seed's faults have what each mutant needs: messages refused in the middle of a
		// batch, and a store that is away for longer than its client tries.
		Length: 40 * time.Second, Instances: 3, Seed: 5, Drain: drain,
	})
	if err != nil {
		require.ErrorIs(t, err, ErrBroken)
	}
	return report
}

// ofWriter are the mutants of the write side that a short run sees. The others need a
// moment that it rarely meets; the simulation makes it.
var ofWriter = []string{"receipts replace each other", "the entity is replaced without If-Match", "answers do not wait for their batch"}

// surest are the mutants that show within seconds, whatever the machine is at: CI has no time
// for all of them.
var surest = []string{
	"the dispatcher settles what it has tried to send", "the newest pending event goes out first", "the consumer applies what it has applied",
	"receipts replace each other", "the entity is replaced without If-Match", "answers do not wait for their batch",
}

// sought are the mutants that must be caught here.
func sought(t *testing.T) []mutants.Mutant {
	t.Helper()
	all := slices.Clone(mutants.All)
	for _, m := range mutants.Writer {
		if slices.Contains(ofWriter, m.Name) {
			all = append(all, m)
		}
	}
	require.Len(t, all, len(mutants.All)+len(ofWriter), "a mutant has another name now")
	if os.Getenv("CHAOS_MUTANTS") != "all" {
		all = slices.DeleteFunc(all, func(m mutants.Mutant) bool { return !slices.Contains(surest, m.Name) })
		require.Len(t, all, len(surest), "a mutant has another name now")
	}
	return all
}

// TestMutantsAreCaught: a run finds what each missing rule breaks, and without one it finds
// none of that.
func TestMutantsAreCaught(t *testing.T) {
	if os.Getenv("CHAOS_MUTANTS") == "" {
		t.Skip("takes more than a minute for each mutant: set CHAOS_MUTANTS=1 for the six surest, all for all")
	}
	w := open(t)
	t.Run("none", func(t *testing.T) {
		report := w.run(t, w.app, 2*time.Minute)
		t.Logf("none: found %v", report.Broken())
		require.Empty(t, report.Breaches)
	})
	for _, m := range sought(t) {
		t.Run(m.Name, func(t *testing.T) {
			report := w.run(t, w.mutant(t, m), time.Minute)
			t.Logf("%s: found %v", m.Name, report.Broken())
			require.True(t, slices.ContainsFunc(shows[m.Breaks], func(k Kind) bool { return slices.Contains(report.Broken(), k) }),
				"%s should be seen as one of %v; found: %v", m.Breaks, shows[m.Breaks], report.Breaches)
		})
	}
}
