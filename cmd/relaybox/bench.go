package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/cmd/relaybox/bench"
	"github.com/relaybox/relaybox/local/stack"
)

func benchCommand() *cobra.Command {
	o := bench.Options{}
	var against, results, guard string
	var keep, ran, asJSON bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what an event takes, beside what bare SDK calls of the same protocol take",
		Long: `Runs store, bus, host and handler as processes of their own, loads them, and measures rate,
latency, requests, processor time and memory; in turns with the ceiling, which makes the same
requests to the same stand-ins without our logic, and with --against with the binaries of
another checkout. Ratios are the result: figures of a busy machine are not.

Every event is counted. Exit status 1: something was lost, doubled or disordered, or with
--guard a number is outside of its margin.
docs/performance.md says how to read it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := atLeast("rounds", o.Rounds, 1); err != nil {
				return err
			}
			if guard != "" {
				if o.Margins, err = readMargins(guard); err != nil {
					return usageError{err}
				}
			}
			if err := bench.Check(o); err != nil {
				return usageError{err} // before anything is built
			}
			if o.Dir, err = os.MkdirTemp("", "relaybox-bench-"); err != nil {
				return err
			}
			o.Out = cmd.OutOrStdout()
			if asJSON {
				o.Out = cmd.ErrOrStderr()
			}
			defer func() {
				err = tidy(cmd.Context(), o.Out, o.Dir, keep, ran && !errors.Is(err, bench.ErrGuarded), err)
			}()
			if o.Ours, err = benchOurs(cmd.Context(), o); err != nil {
				return err
			}
			if against != "" {
				if o.Theirs, err = benchTheirs(cmd.Context(), o, against); err != nil {
					return err
				}
			}
			ran = true
			report, err := bench.Run(cmd.Context(), o)
			if report == nil {
				return err
			}
			if results != "" {
				err = errors.Join(err, appendResults(results, report))
			}
			if asJSON {
				err = errors.Join(err, json.NewEncoder(cmd.OutOrStdout()).Encode(report))
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.Workloads, "workload", nil, "only these: write, through, latency, hot, drain, wide, scale, inner, idle; or million, a drain that takes half an hour")
	flags.StringVar(&against, "against", "", "`DIR` of another checkout, whose binaries are measured in turns with these")
	flags.BoolVar(&o.Quick, "quick", false, "a small run, under five minutes")
	flags.IntVar(&o.Rounds, "rounds", 1, "how often each is measured; the report has medians, and ratios of each round")
	flags.Uint64Var(&o.Seed, "seed", 1, "seed of the load")
	flags.StringVar(&results, "results", "", "`FILE` to which every measurement is added, for benchstat")
	flags.StringVar(&guard, "guard", "", "`FILE` of margins, such as bench/guard.txt, that the numbers have to keep to; without --workload its workloads are run")
	flags.BoolVar(&asJSON, "json", false, "print the report as JSON on the standard output, everything else on the other")
	flags.BoolVar(&keep, "keep", false, "keep the folder with apps, data and logs; it is kept when a trial fails")
	return cmd
}

// benchOurs is this program, with the app of the source tree.
func benchOurs(ctx context.Context, o bench.Options) (c bench.Checkout, err error) {
	if c.Relaybox, err = os.Executable(); err != nil {
		return c, err
	}
	source, err := stack.FindSource(".")
	if err != nil {
		return c, fmt.Errorf("bench builds the app first: %w; change into a clone of the repository", err)
	}
	c.App = filepath.Join(o.Dir, "ours", "app")
	_, _ = fmt.Fprintln(o.Out, "building the app")
	return c, stack.Assemble(ctx, stack.Build{Source: source}, c.App)
}

// benchTheirs builds program and app of another checkout.
func benchTheirs(ctx context.Context, o bench.Options, dir string) (c bench.Checkout, err error) {
	source, err := stack.FindSource(dir)
	if err != nil {
		return c, fmt.Errorf("--against: %w", err)
	}
	c.Relaybox, c.App = filepath.Join(o.Dir, "theirs", "relaybox"), filepath.Join(o.Dir, "theirs", "app")
	_, _ = fmt.Fprintln(o.Out, "building", source)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", c.Relaybox, "./cmd/relaybox")
	cmd.Dir = source
	if said, err := cmd.CombinedOutput(); err != nil {
		return c, fmt.Errorf("--against: build %s: %w\n%s", source, err, strings.TrimSpace(string(said)))
	}
	return c, stack.Assemble(ctx, stack.Build{Source: source}, c.App)
}

func readMargins(name string) ([]bench.Margin, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	list, err := bench.ReadMargins(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("--guard %s: %w", name, err)
	}
	return list, nil
}

func appendResults(name string, r *bench.Report) (err error) {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return r.Benchstat(file)
}
