package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/outbox"
)

// actStates explains what history shows.
var actStates = []struct {
	state outbox.ActState
	text  string
}{
	{outbox.ActBegun, "its operator died or lost the store on the way: it may have been done"},
	{outbox.ActDone, "it was done"},
	{outbox.ActChanged, "nothing was done: the event was sent, or changed, since the operator had read it"},
	{outbox.ActFailed, "nothing was done: the store refused it"},
}

func eventsHistory() *cobra.Command {
	var e events
	var key, author string
	var most int
	long := `Lists what operators have done with redrive, skip, pause, resume and replay, and with dead letters, the newest
first. STATE is

`
	for _, s := range actStates {
		long += fmt.Sprintf("  %-9s %s\n", s.state, s.text)
	}
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List what operators have done",
		Long: long + `
With --json a skipped event's envelope is there, too: it is stored nowhere else.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := atLeast("max", most, 0); err != nil {
				return err
			}
			d, err := e.open(0)
			if err != nil {
				return err
			}
			defer d.Close()
			out := newList(cmd.OutOrStdout(), e.asJSON, "acts", "act", "WHEN\tAUTHOR\tVERB\tSTATE\tKEY\tSEQ\tTYPE\tREASON")
			met := map[outbox.ActState]bool{}
			err = d.History(cmd.Context(), func(page []outbox.Act) error {
				for _, a := range page {
					if key != "" && a.Key != key && (a.Halt == nil || a.Halt.Name != key) || author != "" && a.Author != author {
						continue
					}
					met[a.State] = true
					if err := out.add(a, actRow(a)); err != nil {
						return err
					}
					if most > 0 && out.rows == most {
						return errEnough
					}
				}
				return nil
			})
			if err != nil && !errors.Is(err, errEnough) {
				_ = out.flush() // what was found is worth something
				return err
			}
			if err := out.end(); err != nil || e.asJSON {
				return err
			}
			for _, s := range actStates {
				if met[s.state] && s.state != outbox.ActDone {
					if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", s.state, s.text); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
	e.flags(cmd, "the records")
	flags := cmd.Flags()
	flags.StringVar(&key, "key", "", "only acts on events of this key, kind:id")
	flags.StringVar(&author, "author", "", "only acts of this author")
	flags.IntVar(&most, "max", 0, "at most this many, the newest (0 for all)")
	return cmd
}

// actRow is an act's row in a list. Why it failed goes before why it was done.
func actRow(a outbox.Act) string {
	why := slices.DeleteFunc([]string{a.Error, a.Reason}, func(s string) bool { return s == "" })
	reason := ""
	if len(why) > 0 {
		reason = why[0]
	}
	on, seq, what := a.Key, "-", a.Type
	if a.Halt != nil {
		on = paused(*a.Halt)
	} else if a.Seq > 0 {
		seq = fmt.Sprint(a.Seq)
	}
	if a.ReplayFor != "" {
		on = "for " + a.ReplayFor
	}
	if d := a.DeadLetter; d != nil {
		what = fmt.Sprint("dead letter ", d.Number)
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", a.At.Format(time.RFC3339), dash(a.Author), a.Verb, a.State, dash(on), seq, dash(what), dash(reason))
}
