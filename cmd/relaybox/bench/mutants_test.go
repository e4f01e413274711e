package bench_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cmd/relaybox/bench"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/test/mutants"
)

// TestMutantsAreCaught: a run of an app without a rule of the protocol fails where that
// shows without any fault from outside, and a run of the app as it is does not.
func TestMutantsAreCaught(t *testing.T) {
	if os.Getenv("BENCH_MUTANTS") == "" {
		t.Skip("builds the program and two handlers: set BENCH_MUTANTS=1")
	}
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	ours := bench.Checkout{Relaybox: filepath.Join(t.TempDir(), "relaybox"), App: filepath.Join(t.TempDir(), "app")}
	build := func(out, what string, flags ...string) {
		cmd := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"build", "-o", out}, flags, []string{what})...)
		cmd.Dir = source
		said, err := cmd.CombinedOutput()
		require.NoError(t, err, string(said))
	}
	build(ours.Relaybox, "./cmd/relaybox")
	require.NoError(t, stack.Assemble(t.Context(), stack.Build{Source: source}, ours.App))
	run := func(app string) (*bench.Report, error) {
		return bench.Run(t.Context(), bench.Options{
			Workloads: []string{"drain"}, Ours: bench.Checkout{Relaybox: ours.Relaybox, App: app}, Quick: true, Seed: 1, Dir: t.TempDir(), Out: t.Output(),
		})
	}

	_, err = run(ours.App)
	require.NoError(t, err)

	const name = "the newest pending event goes out first"
	at := slices.IndexFunc(mutants.All, func(m mutants.Mutant) bool { return m.Name == name })
	require.GreaterOrEqual(t, at, 0, "a mutant has another name now")
	mutant := filepath.Join(t.TempDir(), "app")
	require.NoError(t, os.CopyFS(mutant, os.DirFS(ours.App)))
	overlay, err := mutants.All[at].Overlay(source, t.TempDir())
	require.NoError(t, err)
	build(filepath.Join(mutant, "handler"), "./handler", "-overlay", overlay)
	report, err := run(mutant)
	require.ErrorIs(t, err, bench.ErrBroken)
	disordered := 0
	for _, trial := range report.Trials {
		disordered += trial.Disordered
	}
	require.Positive(t, disordered)
}
