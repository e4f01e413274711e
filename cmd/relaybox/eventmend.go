package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/outbox"
)

// eventMending is a verb that changes stored events.
type eventMending struct {
	events
	mending
}

func eventsRedrive() *cobra.Command {
	m := eventMending{events: events{parked: true}, mending: mending{verb: "redrive", done: "redriven"}}
	cmd := &cobra.Command{
		Use:   "redrive [KEY/SEQ ...]",
		Short: "Put parked events back, before those that wait for them",
		Long: `Puts the chosen parked events back into the flow, in their place: a dispatcher sends each within
seconds, and then those of its key that have waited for it. Mend the cause first: what is refused
again is parked again.

A run that is interrupted, killed or repeated does no harm. Run it again: it goes on. What was
sent meanwhile, or is pending already, is said, and is no fault.

An event whose key has gone on without it (RELAYBOX_SKIP_PARKED) stays: sent now, it would come
after its followers.

Each act is recorded in the store, before and after it: relaybox events history.

Exit status: 0 all that was chosen goes out, or went out, 1 something is left.`,
		RunE: m.run,
	}
	m.allFlags(cmd)
	return cmd
}

func eventsSkip() *cobra.Command {
	m := eventMending{events: events{parked: true}, mending: mending{verb: "skip", done: "skipped"}}
	cmd := &cobra.Command{
		Use:   "skip [KEY/SEQ ...]",
		Short: "Give parked events up, so that those behind them go out",
		Long: `Gives the chosen parked events up after a question, and lets their keys go on. In place of each
goes a marker of the type relaybox.skipped, under its number, so that no consumer waits for it. It
cannot be undone: the event is never sent. Its envelope stays in the record of the act: relaybox
events history --json. It is also how events end whose keys have gone on without them
(RELAYBOX_SKIP_PARKED).

A run that is interrupted, killed or repeated does no harm.

Exit status: 0 all that was chosen is skipped, or went out, 1 something is left.`,
		RunE: m.run,
	}
	m.allFlags(cmd)
	m.asks(cmd)
	return cmd
}

func (m *eventMending) allFlags(cmd *cobra.Command) {
	m.events.flags(cmd, "what was done")
	m.choiceFlags(cmd)
	m.mending.flags(cmd, &m.choice)
}

// patience is how long an act is tried while the store is busy: a run over many events is what
// makes it so.
const patience = 10 * time.Second

func (m *eventMending) run(cmd *cobra.Command, args []string) error {
	m.choice.names = args
	if err := m.choice.checkMeant(cmd); err != nil {
		return err
	}
	for _, name := range args {
		if _, err := parseEventName(name); err != nil {
			return err
		}
	}
	d, err := m.open(patience)
	if err != nil {
		return err
	}
	defer d.Close()
	ctx := cmd.Context()
	var agreed map[eventName]bool
	if m.verb == "skip" && !m.yes && !m.dryRun {
		if agreed, err = m.agree(cmd, d); err != nil {
			return err
		}
	}
	r := newEventResult(cmd.OutOrStdout(), m.asJSON, m.verb, m.dryRun)
	w := &eventWork{
		operator: outbox.NewOperator(d, d, m.author, m.reason), verb: m.verb, result: r,
		progress: &progress{out: cmd.ErrOrStderr(), last: time.Now()},
	}
	pauses, err := w.operator.Pauses(ctx)
	if err != nil {
		return err
	}
	halted := 0
	err = m.eachMendable(ctx, d, r, func(page []outbox.Event) error {
		if m.dryRun {
			for _, one := range page {
				r.add(one, eventPlanned, nil)
			}
			return r.broken
		}
		if agreed != nil {
			page = only(page, agreed)
		}
		for _, one := range page {
			if covering(pauses, one.Key) != nil {
				halted++
			}
		}
		return w.do(ctx, page)
	})
	if halted > 0 {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s of paused keys: sent after relaybox resume (relaybox pause --list)\n", plural(halted, m.choice.thing))
	}
	return r.finish(err)
}

// agree counts what is chosen and has the person agree to that: what is parked while they think
// about it is not meant.
func (m *eventMending) agree(cmd *cobra.Command, d *desk) (map[eventName]bool, error) {
	agreed := map[eventName]bool{}
	err := m.eachMendable(cmd.Context(), d, nil, func(page []outbox.Event) error {
		for _, one := range page {
			agreed[nameOf(one)] = true
		}
		return nil
	})
	if err != nil || len(agreed) == 0 {
		return agreed, err
	}
	return agreed, m.ask(cmd, plural(len(agreed), m.choice.thing), fmt.Sprint(d.where))
}

func only(page []outbox.Event, agreed map[eventName]bool) []outbox.Event {
	var kept []outbox.Event
	for _, one := range page {
		if agreed[nameOf(one)] {
			kept = append(kept, one)
		}
	}
	return kept
}

// eachMendable visits the chosen events about which something can be done, at most as many as
// were asked for, and tells r of the others.
func (m *eventMending) eachMendable(ctx context.Context, d *desk, r *eventResult, visit func([]outbox.Event) error) error {
	shown := 0
	err := m.walk(ctx, d, func(page []outbox.Event) error {
		var mendable []outbox.Event
		for _, one := range page {
			if m.choice.max > 0 && shown == m.choice.max {
				break
			}
			switch state := stateOf(one); {
			case state == statePending:
				r.add(one, eventPending, nil)
			case state == stateSkipped && m.verb != "skip":
				r.add(one, eventPassed, nil)
			default:
				mendable = append(mendable, one)
				shown++
			}
		}
		if len(mendable) > 0 {
			if err := visit(mendable); err != nil {
				return err
			}
		}
		if m.choice.max > 0 && shown == m.choice.max {
			return errEnough
		}
		return r.fault()
	}, func(name eventName) error {
		why, sent, err := d.absence(ctx, name)
		if err == nil {
			r.absent(name, why, sent)
		}
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return err
}
