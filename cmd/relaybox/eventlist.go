package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

func eventsList() *cobra.Command {
	e := events{parked: true}
	var pending, early, all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the events that are parked, pending, or early at the consumer",
		Long: `Lists the parked events that the filters choose, or others, as they are found: in no order, but
with --key by number. It only looks. STATE is

  pending   it is sent as soon as the broker takes it and those before it
  parked    the broker has refused it; its key waits, and it is tried again at DUE
  skipped   it was refused, and its key has gone on without it (RELAYBOX_SKIP_PARKED)
  early     it came to the consumer before the one that REASON names, and waits for it there

AGE is the time since it was written, or since it came early, ATTEMPTS how often it was refused.
Early events are the first hundred of each key.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.choice.check(cmd); err != nil {
				return err
			}
			switch {
			case pending && all, early && all, pending && early:
				return usage("--pending, --early and --all-states are different things; see %s --help", cmd.CommandPath())
			case (pending || early) && e.choice.cause != "":
				return usage("--cause is about parked events: others were not refused, or not yet for good")
			}
			e.parked, e.pending = !pending && !early, pending || all
			d, err := e.open(0)
			if err != nil {
				return err
			}
			defer d.Close()
			out := newList(cmd.OutOrStdout(), e.asJSON, "events", "event", "KEY\tSEQ\tTYPE\tSTATE\tAGE\tATTEMPTS\tDUE\tREASON")
			now := time.Now()
			enough := func(rows int) bool { return e.choice.max > 0 && rows == e.choice.max }
			add := func(value storedEvent, row string) error {
				if err := out.add(value, row); err != nil {
					return err
				}
				if enough(out.rows) {
					return errEnough
				}
				return nil
			}
			var faults []error // of the one store: the other is searched all the same
			if !early {
				faults = append(faults, e.walk(cmd.Context(), d, func(page []outbox.Event) error {
					for _, one := range page {
						if err := add(eventAsJSON(one), eventRow(one, now)); err != nil {
							return err
						}
					}
					return nil
				}, nil))
			}
			if (early || all && e.choice.cause == "") && !enough(out.rows) {
				faults = append(faults, e.walkEarly(cmd.Context(), d, func(one inbox.Early, after int64) error {
					return add(earlyAsJSON(one, after), earlyRow(one, after, now))
				}))
			}
			faults = slices.DeleteFunc(faults, func(err error) bool { return errors.Is(err, errEnough) })
			if err := errors.Join(faults...); err != nil {
				_ = out.flush() // what was found is worth something
				return err
			}
			return out.end()
		},
	}
	e.flags(cmd, "the list")
	e.choiceFlags(cmd)
	cmd.Flags().BoolVar(&pending, "pending", false, "those that are pending instead")
	cmd.Flags().BoolVar(&early, "early", false, "those that wait at the consumer for one before them instead")
	cmd.Flags().BoolVar(&all, "all-states", false, "those that are pending or early, too")
	return cmd
}

// storedEvent is an event of the outbox as JSON.
type storedEvent struct {
	Key         string        `json:"key"`
	Seq         int64         `json:"seq"`
	State       eventState    `json:"state"`
	ID          string        `json:"id"`
	Type        string        `json:"type"`
	Incarnation string        `json:"incarnation,omitempty"`
	CreatedAt   time.Time     `json:"createdAt"`
	Fault       *outbox.Fault `json:"fault,omitempty"`
	Due         time.Time     `json:"due,omitzero"` // when it is tried again by itself
	// Since is when an early one came.
	Since time.Time `json:"since,omitzero"`
	// WaitsFor is the event before it that is parked, or that the consumer has not got.
	WaitsFor    int64  `json:"waitsFor,omitempty"`
	TraceParent string `json:"traceparent,omitempty"`
	TraceState  string `json:"tracestate,omitempty"`

	// Of show only.
	Envelope json.RawMessage `json:"envelope,omitempty"`
	// Data is an early event's.
	Data json.RawMessage `json:"data,omitempty"`
	// Paused is an operator's pause that covers it.
	Paused *outbox.Halt `json:"paused,omitempty"`
	// Followers are the events of its key behind it; more than that if MoreFollowers.
	Followers     *int `json:"followers,omitempty"`
	MoreFollowers bool `json:"moreFollowers,omitempty"`
}

func eventAsJSON(e outbox.Event) storedEvent {
	d := storedEvent{
		Key: e.Key, Seq: e.Seq, State: stateOf(e), ID: e.ID, Type: e.Type, Incarnation: e.Incarnation, CreatedAt: e.CreatedAt,
		Fault: e.Fault, TraceParent: e.Trace.Parent, TraceState: e.Trace.State,
	}
	if e.Parked() {
		d.Due = e.Fault.Due()
	}
	return d
}

// eventState is what becomes of an event.
type eventState string

// The states.
const (
	statePending eventState = "pending"
	stateParked  eventState = "parked"
	stateSkipped eventState = "skipped"
)

func stateOf(e outbox.Event) eventState {
	switch {
	case !e.Parked():
		return statePending
	case e.Fault.Skipped:
		return stateSkipped
	}
	return stateParked
}

// eventRow is an event's row in a list.
func eventRow(e outbox.Event, now time.Time) string {
	attempts, due, reason := "-", "-", "-"
	if f := e.Fault; f != nil {
		attempts, due, reason = fmt.Sprint(f.Attempts), dueText(*f, now), dash(f.Reason)
	}
	return fmt.Sprintf("%s\t%d\t%s\t%s\t%v\t%s\t%s\t%s", dash(e.Key), e.Seq, dash(e.Type), stateOf(e), span(now.Sub(e.CreatedAt)), attempts, due, reason)
}

// dueText is when an event is tried again by itself, as seen from now.
func dueText(f outbox.Fault, now time.Time) string {
	switch due := f.Due(); {
	case due.IsZero():
		return "never"
	case !due.After(now):
		return "now"
	default:
		return "in " + span(due.Sub(now))
	}
}

// span is a time as long as people say it: in days, or in two units at most.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%dd", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", max(0, d)/time.Second)
}
