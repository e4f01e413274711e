package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/outbox"
)

// pausing is a verb that stops or starts what is sent.
type pausing struct {
	events
	all            bool
	kind, key      string
	author, reason string
	list           bool
	done           string // paused
	do             func(*outbox.Operator, context.Context, outbox.Scope, string) (outbox.Act, error)
	vain           string // why nothing was done
}

func pauseCommand() *cobra.Command {
	p := pausing{do: (*outbox.Operator).Pause, done: "paused", vain: "was paused before: that pause stands"}
	cmd := &cobra.Command{
		Use:   "pause",
		Short: "Stop sending: everything, the events of a kind, or those of a key",
		Long: `Has every instance of the app stop sending what is chosen, within three seconds, and until
relaybox resume; restarts and new instances change nothing. Changes are committed as ever: their
events wait in the outbox, in order, and the age of the oldest rises. What was sent already is
consumed.

Settings are found as relaybox doctor finds them, and it signs in as you (az login). It takes the
role Cosmos DB Built-in Data Contributor, and --list the role Data Reader.

The act is recorded in the store: relaybox events history.

Exit status: 0 it is paused now, whoever has done it.`,
		Args: noArgs,
		RunE: p.run,
	}
	p.allFlags(cmd)
	cmd.Flags().BoolVar(&p.list, "list", false, "only show what is paused")
	return cmd
}

func resumeCommand() *cobra.Command {
	p := pausing{do: (*outbox.Operator).Resume, done: "resumed", vain: "was not paused"}
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "End a pause",
		Long: `Ends the pause of exactly what is chosen: the pause of a kind ends with --kind, and that of a key of
this kind stays. What has waited goes out within seconds, each key in order.

The act is recorded in the store: relaybox events history.

Exit status: 0 there is no such pause now.`,
		Args: noArgs,
		RunE: p.run,
	}
	p.allFlags(cmd)
	return cmd
}

func (p *pausing) allFlags(cmd *cobra.Command) {
	p.flags(cmd, "the result")
	flags := cmd.Flags()
	flags.BoolVar(&p.all, "all", false, "everything")
	flags.StringVar(&p.kind, "kind", "", "the events of this kind")
	flags.StringVar(&p.key, "key", "", "the events of this key, kind:id")
	flags.StringVar(&p.author, "author", person(), "who does it, for the record")
	flags.StringVar(&p.reason, "reason", "", "why, for the record")
}

// scope is what is chosen.
func (p *pausing) scope(cmd *cobra.Command) (outbox.Scope, string, error) {
	chosen, scope, name := 0, outbox.ScopeAll, ""
	if p.all {
		chosen++
	}
	if p.kind != "" {
		chosen, scope, name = chosen+1, outbox.ScopeKind, p.kind
	}
	if p.key != "" {
		chosen, scope, name = chosen+1, outbox.ScopeKey, p.key
		if kind, id := outbox.SplitKey(p.key); kind == "" || id == "" {
			return scope, name, usage("--key is %q: write a kind and an id, kind:id", p.key)
		}
	}
	if chosen != 1 {
		return scope, name, usage("what is meant? Say one of --all, --kind and --key; see %s --help", cmd.CommandPath())
	}
	return scope, name, nil
}

func (p *pausing) run(cmd *cobra.Command, _ []string) error {
	if p.list {
		if p.all || p.kind != "" || p.key != "" {
			return usage("--list shows all pauses: it does not go with --all, --kind or --key")
		}
		return p.show(cmd)
	}
	scope, name, err := p.scope(cmd)
	if err != nil {
		return err
	}
	d, err := p.open(patience)
	if err != nil {
		return err
	}
	defer d.Close()
	act, err := p.do(outbox.NewOperator(d, d, p.author, p.reason), cmd.Context(), scope, name)
	if err != nil {
		return err
	}
	if p.asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(act)
	}
	what := p.done
	if act.State == outbox.ActChanged {
		what = p.vain
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", printable(paused(*act.Halt)), what)
	return err
}

// show lists the pauses that stand.
func (p *pausing) show(cmd *cobra.Command) error {
	d, err := p.open(0)
	if err != nil {
		return err
	}
	defer d.Close()
	found, err := outbox.NewOperator(d, d, "", "").Pauses(cmd.Context())
	if err != nil {
		return err
	}
	out := newList(cmd.OutOrStdout(), p.asJSON, "pauses", "pause", "WHAT\tSINCE\tAUTHOR\tREASON")
	for _, h := range found {
		if err := out.add(h, fmt.Sprintf("%s\t%s\t%s\t%s", printable(paused(h)), h.At.Format(time.RFC3339), dash(h.Author), dash(h.Reason))); err != nil {
			return err
		}
	}
	return out.end()
}

// paused names what a pause covers.
func paused(h outbox.Halt) string {
	switch h.Scope {
	case outbox.ScopeAll:
		return "everything"
	case outbox.ScopeKind:
		return "kind " + h.Name
	}
	return h.Name
}
