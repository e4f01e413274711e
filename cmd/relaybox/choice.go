package main

import (
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/azure/servicebus"
)

// choice says which dead letters are meant: those that every part of it agrees with.
type choice struct {
	key, kind, cause     string
	olderThan, newerThan time.Duration
	max                  int
	names                []string // sequence numbers and message ids; none: any
	all                  bool
}

func (c *choice) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.key, "key", "", "only letters of this key, kind:id")
	flags.StringVar(&c.kind, "kind", "", "only letters of keys of this kind")
	flags.StringVar(&c.cause, "cause", "", "only letters that were dead-lettered for this reason, MaxDeliveryCountExceeded for example")
	flags.DurationVar(&c.olderThan, "older-than", 0, "only letters that were enqueued longer ago, 1h30m for example")
	flags.DurationVar(&c.newerThan, "newer-than", 0, "only letters that were enqueued since")
	flags.IntVar(&c.max, "max", 0, "at most this many letters, the oldest first (0 for all)")
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
		return usage("--older-than %v and --newer-than %v leave no letter", c.olderThan, c.newerThan)
	}
	return atLeast("max", c.max, 0)
}

// checkMeant is for verbs that change something: everything must be asked for.
func (c *choice) checkMeant(cmd *cobra.Command) error {
	if err := c.check(cmd); err != nil {
		return err
	}
	narrowed := c.key != "" || c.kind != "" || c.cause != "" || c.olderThan > 0 || c.newerThan > 0 || len(c.names) > 0
	switch {
	case !narrowed && !c.all:
		return usage("which dead letters? Name them, narrow them down (--key, --kind, --cause, --older-than, --newer-than), or say --all; see %s --help", cmd.CommandPath())
	case narrowed && c.all:
		return usage("--all does not go with names or filters; see %s --help", cmd.CommandPath())
	}
	return nil
}

// takes says whether a letter is meant.
func (c *choice) takes(l servicebus.Letter, now time.Time) bool {
	age := now.Sub(l.Enqueued)
	return (c.key == "" || c.key == l.Key()) &&
		(c.kind == "" || c.kind == l.Kind()) &&
		(c.cause == "" || c.cause == l.Reason) &&
		(c.olderThan == 0 || age > c.olderThan) &&
		(c.newerThan == 0 || age < c.newerThan) &&
		(len(c.names) == 0 || slices.ContainsFunc(c.names, func(name string) bool { return named(l, name) }))
}

func named(l servicebus.Letter, name string) bool {
	number, ok := sequenceNumber(name)
	return ok && number == l.Number || name == l.MessageID
}

func sequenceNumber(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}
