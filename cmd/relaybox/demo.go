package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/cmd/relaybox/demo"
	"github.com/relaybox/relaybox/local/stack"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	var app, broker string
	var keep, asJSON, began bool
	var minutes float64
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Send a thousand writes, cut the broker, kill the app, and account for every event",
		Long: `Runs the whole stack in a temporary folder on free ports and sends writes over HTTP to
two kinds of entity under the same ids: with If-Match, with Idempotency-Key twins, deletions,
actions in the right state and in the wrong one, all kinds of text, bodies near the limit. In
the middle the broker is away for three seconds and the handler is killed. Then every write
and every event is accounted for, by what the clients were told, what the store holds, what
was on the bus, what the consumer made of it and what was dead-lettered.

write-to-consumed is the time from the client's acknowledgement to the moment at which the
store shows the change in the consumer's read model. Exit status 0: every invariant held.

With --instances it is another run: that many hosts with their handlers, each a process of its
own, behind a proxy that goes round those that are well. Writes come at --rate for --minutes, and
as many reads; meanwhile instances are killed with SIGKILL and come back, leave, and join. The
account at the end is the same, and the table shows how the work was spread. Needs Linux.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := demoFlags(cmd, &o, minutes); err != nil {
				return err
			}
			if o.Broker, err = brokerFlag(broker, o.Instances); err != nil {
				return err
			}
			o.Dir, err = os.MkdirTemp("", "relaybox-demo-")
			if err != nil {
				return err
			}
			o.Out = cmd.OutOrStdout()
			if asJSON {
				o.Out, o.JSON = cmd.ErrOrStderr(), cmd.OutOrStdout()
			}
			defer func() { err = tidy(cmd.Context(), o.Out, o.Dir, keep, began, err) }()
			if o.App = app; app == "" {
				source, err := stack.FindSource(".")
				if err != nil {
					return fmt.Errorf("demo builds the app first: %w; change into a clone of the repository, or name an assembled folder with --app", err)
				}
				o.App = filepath.Join(o.Dir, "app")
				_, _ = fmt.Fprintln(o.Out, "building the app")
				if err := stack.Assemble(cmd.Context(), stack.Build{Source: source}, o.App); err != nil {
					return fmt.Errorf("assemble: %w", err)
				}
			}
			if o.App, err = filepath.Abs(o.App); err != nil { // instances have folders of their own
				return err
			}
			if o.Relaybox, err = os.Executable(); err != nil {
				return err
			}
			settings := environment(os.Environ()) // the handler inherits it
			maps.Copy(settings, stack.Defaults())
			if err := preflight(stack.Config{App: o.App, Settings: settings, Broker: o.Broker}); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(o.Out, "seed %d\n", o.Seed)
			began = true
			if err := demo.Run(cmd.Context(), o); err != nil {
				return err
			}
			_, err = fmt.Fprintln(o.Out, "every acknowledged write had its effect, once and in order")
			return err
		},
	}
	cmd.Flags().StringVar(&app, "app", "", "assembled app folder (default: build the source tree's)")
	cmd.Flags().StringVar(&broker, "broker", string(stack.ServiceBus), "what events go over: servicebus, or jetstream, the NATS server itself")
	cmd.Flags().IntVar(&o.Writes, "writes", 1000, "number of writes")
	cmd.Flags().IntVar(&o.Instances, "instances", 0, "number of hosts with their handlers behind a proxy, which come and go (default: one host, the run above)")
	cmd.Flags().Float64Var(&o.Rate, "rate", 20, "with --instances: writes a second")
	cmd.Flags().Float64Var(&minutes, "minutes", 1, "with --instances: how long writes are sent")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of the workload")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the table as JSON on the standard output, everything else on the other")
	cmd.Flags().BoolVar(&keep, "keep", false, "keep data and log; they are kept when a promise was broken")
	return cmd
}

// brokerFlag reads --broker.
func brokerFlag(name string, instances int) (stack.Broker, error) {
	broker, err := stack.ParseBroker(name)
	switch {
	case err != nil:
		return "", usage("--broker: %v", err)
	case broker == stack.JetStream && instances > 0:
		return "", usage("--broker jetstream does not go with --instances: leave one of them out")
	}
	return broker, nil
}

// Most that a run with instances may have: they are processes of one machine, and the account
// keeps each write in memory.
const mostInstances, mostWrites = 64, 2_000_000

// demoFlags checks what belongs together, and counts the writes of a run with instances.
func demoFlags(cmd *cobra.Command, o *demo.Options, minutes float64) error {
	if !cmd.Flags().Changed("instances") {
		for _, name := range []string{"rate", "minutes"} {
			if cmd.Flags().Changed(name) {
				return usage("--%s is for a run with several instances: add --instances N, or leave it out", name)
			}
		}
		return atLeast("writes", o.Writes, 1)
	}
	if cmd.Flags().Changed("writes") {
		return usage("--writes does not go with --instances, where --rate and --minutes say how many there are: leave it out")
	}
	if err := errors.Join(atLeast("instances", o.Instances, 1), above("rate", o.Rate), above("minutes", minutes)); err != nil {
		return err
	}
	if o.Instances > mostInstances {
		return usage("--instances %d: all run on this machine; it must be at most %d", o.Instances, mostInstances)
	}
	switch writes := o.Rate * 60 * minutes; {
	case writes < 1:
		return usage("--rate %g for --minutes %g is less than one write: raise either", o.Rate, minutes)
	case !(writes <= mostWrites): // or it is not a number
		return usage("--rate %g for --minutes %g is more than %d writes, which the account would keep in memory: lower either", o.Rate, minutes, mostWrites)
	default:
		o.Writes = int(writes)
	}
	return nil
}
