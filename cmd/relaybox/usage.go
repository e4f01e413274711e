package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// farthest is how many letters a slip of the pen may be away from what was meant.
const farthest = 2

// unknownFlag puts the nearest flag beside what the parser says of one that is not there. It
// holds for the verbs too.
func unknownFlag(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() && cmd.Flags().NArg() > 0 { // its flags may be those of the verb that is meant
		return unknownVerb(cmd, cmd.Flags().Args())
	}
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return usage("%w; see %s --help", err, cmd.CommandPath())
	}
	name, _, _ = strings.Cut(name, "=")
	if near := nearestFlag(cmd, name); near != "" {
		return usage("%w; did you mean --%s?", err, near)
	}
	return usage("%w; see %s --help", err, cmd.CommandPath())
}

func nearestFlag(cmd *cobra.Command, name string) string {
	best, least := "", farthest+1
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		d := distance(name, f.Name)
		// A name that was broken off is meant, however long the rest is.
		if len(name) > 1 && (strings.HasPrefix(f.Name, name) || strings.HasSuffix(f.Name, "-"+name)) {
			d = min(d, 1)
		}
		if d < least && d < len(name) {
			best, least = f.Name, d
		}
	})
	return best
}

// distance counts the letters to add, remove, replace or swap with their neighbour to make b of a.
func distance(a, b string) int {
	before, last, row := []int(nil), []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			differ := 1
			if a[i-1] == b[j-1] {
				differ = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+differ)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// unknownVerb is for a command that has verbs below it and no work of its own.
func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = farthest
	text := fmt.Sprintf("there is no %s %s", cmd.CommandPath(), args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usage("%s; did you mean %s?", text, strings.Join(near, " or "))
	}
	return usage("%s; see %s --help", text, cmd.CommandPath())
}

// noArgs is for verbs that take flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no arguments, and there is %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// exactlyOne is for verbs that take one argument.
func exactlyOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("%s takes %s, and there are %d arguments; see %s --help", cmd.CommandPath(), what, len(args), cmd.CommandPath())
		}
		return nil
	}
}

// strictParent makes a command without work of its own refuse verbs that it does not have.
func strictParent(cmd *cobra.Command) {
	cmd.Args = unknownVerb
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// strict makes a command of cobra's, with verbs below it, refuse what it does not know.
func strict(cmd *cobra.Command) {
	strictParent(cmd)
	for _, below := range cmd.Commands() {
		below.Args = noArgs
	}
}

// helpCommand is cobra's, but for a verb that is not there: that is a fault.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [verb]",
		Short: "Help about a verb",
		RunE: func(_ *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknownVerb(about, rest)
			}
			return about.Help()
		},
	}
}
