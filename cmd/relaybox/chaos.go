package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/cmd/relaybox/chaos"
	"github.com/relaybox/relaybox/local/stack"
)

func chaosCommand() *cobra.Command {
	o := chaos.Options{}
	var minutes float64
	var keep, asJSON, began bool
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Kill, freeze and cut off real processes for minutes, and account for every write",
		Long: `Runs store, bus and a number of instances (host and handler) as processes of their own, on
disks in a temporary folder, and sends writes to all of them. Meanwhile processes are killed
and frozen, instances are cut off from store or bus, the stand-ins throttle, fail, lag behind,
lose answers and refuse messages, and old events are sent again, all drawn from --seed. Then
everything is healed, and a ledger is reconciled: every acknowledged write against the stored
version, its event, its delivery and its effect; and the answers of each entity against one
order.

Prints a table. Exit status 0: no promise was broken. On a breach the whole story of the
entities is printed, and data, logs and evidence are kept. Needs Linux.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			o.Length = time.Duration(minutes * float64(time.Minute))
			if err := errors.Join(above("minutes", minutes), atLeast("instances", o.Instances, 1), above("drain", o.Drain)); err != nil {
				return err
			}
			if err := chaos.Check(o); errors.Is(err, chaos.ErrUnsupported) {
				return err
			} else if err != nil {
				return usageError{err}
			}
			if o.Dir, err = os.MkdirTemp("", "relaybox-chaos-"); err != nil {
				return err
			}
			o.Out = cmd.OutOrStdout()
			if asJSON {
				o.Out = cmd.ErrOrStderr()
			}
			defer func() { err = tidy(cmd.Context(), o.Out, o.Dir, keep, began, err) }()
			if !cmd.Flags().Changed("seed") {
				o.Seed = rand.Uint64N(1_000_000)
			}
			if err := chaosApp(cmd, &o); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(o.Out, "seed %d\n", o.Seed)
			began = true
			report, err := chaos.Run(cmd.Context(), o)
			if asJSON && report != nil {
				err = errors.Join(err, json.NewEncoder(cmd.OutOrStdout()).Encode(report))
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.Float64Var(&minutes, "minutes", 2, "how long things go wrong")
	flags.IntVar(&o.Instances, "instances", 4, "number of hosts with their handlers")
	flags.Uint64Var(&o.Seed, "seed", 0, "seed of the faults and the load (default: another one each time)")
	flags.StringVar(&o.App, "app", "", "assembled app folder (default: build the source tree's)")
	flags.StringSliceVar(&o.Without, "without", nil, "sorts of faults to leave out: kills, freezes, cuts, outages, refusals, resends")
	flags.BoolVar(&o.Disks, "disks", false, "give store and bus small disks of their own, in memory, and fill them now and then; needs the right to mount")
	flags.DurationVar(&o.Drain, "drain", 2*time.Minute, "how long the last effect may take after everything is well again")
	flags.BoolVar(&asJSON, "json", false, "print the report as JSON on the standard output, everything else on the other")
	flags.BoolVar(&keep, "keep", false, "keep data and logs of a good run too")
	return cmd
}

// chaosApp finds the program and the app that are run.
func chaosApp(cmd *cobra.Command, o *chaos.Options) (err error) {
	if o.Relaybox, err = os.Executable(); err != nil {
		return err
	}
	if o.App != "" {
		o.App, err = filepath.Abs(o.App) // the processes have folders of their own
		return err
	}
	source, err := stack.FindSource(".")
	if err != nil {
		return fmt.Errorf("chaos builds the app first: %w; change into a clone of the repository, or name an assembled folder with --app", err)
	}
	o.App = filepath.Join(o.Dir, "app")
	_, _ = fmt.Fprintln(o.Out, "building the app")
	if err := stack.Assemble(cmd.Context(), stack.Build{Source: source}, o.App); err != nil {
		return fmt.Errorf("assemble: %w", err)
	}
	return nil
}
