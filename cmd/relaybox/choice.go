package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// choice says which things are meant, dead letters or events: those that every part of it
// agrees with.
type choice struct {
	thing                string // what one is called
	key, kind, cause     string
	eventType            string // of events only
	olderThan, newerThan time.Duration
	max                  int
	names                []string // none: any
	all                  bool
}

// flags are those that mean the same for all things. order says which come first.
func (c *choice) flags(cmd *cobra.Command, things, born, order string) {
	flags := cmd.Flags()
	flags.StringVar(&c.key, "key", "", fmt.Sprintf("only %s of this key, kind:id", things))
	flags.StringVar(&c.kind, "kind", "", fmt.Sprintf("only %s of keys of this kind", things))
	flags.DurationVar(&c.olderThan, "older-than", 0, fmt.Sprintf("only %s that were %s longer ago, 1h30m for example", things, born))
	flags.DurationVar(&c.newerThan, "newer-than", 0, fmt.Sprintf("only %s that were %s since", things, born))
	flags.IntVar(&c.max, "max", 0, fmt.Sprintf("at most this many %s%s (0 for all)", things, order))
}

// check finds what cannot be meant.
func (c *choice) check(cmd *cobra.Command) error {
	for _, flag := range []struct {
		name string
		span time.Duration
	}{{"older-than", c.olderThan}, {"newer-than", c.newerThan}} {
		if cmd.Flags().Changed(flag.name) {
			if err := above(flag.name, flag.span); err != nil {
				return err
			}
		}
	}
	if c.newerThan > 0 && c.olderThan >= c.newerThan {
		return usage("--older-than %v and --newer-than %v leave no %s", c.olderThan, c.newerThan, c.thing)
	}
	return atLeast("max", c.max, 0)
}

// checkMeant is for verbs that change something: everything must be asked for.
func (c *choice) checkMeant(cmd *cobra.Command) error {
	if err := c.check(cmd); err != nil {
		return err
	}
	narrowed := c.key != "" || c.kind != "" || c.cause != "" || c.eventType != "" || c.olderThan > 0 || c.newerThan > 0 || len(c.names) > 0
	switch {
	case !narrowed && !c.all:
		var filters []string
		for _, name := range []string{"key", "kind", "cause", "type", "older-than", "newer-than"} {
			if cmd.Flags().Lookup(name) != nil {
				filters = append(filters, "--"+name)
			}
		}
		return usage("which %ss? Name them, narrow them down (%s), or say --all; see %s --help", c.thing, strings.Join(filters, ", "), cmd.CommandPath())
	case narrowed && c.all:
		return usage("--all does not go with names or filters; see %s --help", cmd.CommandPath())
	}
	return nil
}

// agrees is about what all things have.
func (c *choice) agrees(key, kind string, age time.Duration) bool {
	return (c.key == "" || c.key == key) &&
		(c.kind == "" || c.kind == kind) &&
		(c.olderThan == 0 || age > c.olderThan) &&
		(c.newerThan == 0 || age < c.newerThan)
}
