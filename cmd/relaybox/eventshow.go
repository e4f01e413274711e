package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/outbox"
)

func eventsShow() *cobra.Command {
	var e events
	cmd := &cobra.Command{
		Use:   "show KEY SEQ | KEY/SEQ",
		Short: "Show an event with its envelope, and what waits behind it",
		Long: `Shows the event of that key, kind:id, and that number: as it waits in the outbox, or early at the
consumer. It only looks.

Exit status: 0 shown, 1 it is not stored: it was sent, or never written.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 {
				return usage("%s takes a key and a number, and there are %d arguments; see %s --help", cmd.CommandPath(), len(args), cmd.CommandPath())
			}
			_, err := parseEventName(strings.Join(args, "/"))
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := parseEventName(strings.Join(args, "/"))
			if err != nil {
				return err
			}
			d, err := e.open(0)
			if err != nil {
				return err
			}
			defer d.Close()
			one, err := d.event(cmd.Context(), name.key, name.seq)
			if errors.Is(err, outbox.ErrGone) {
				if found, err := d.showEarly(cmd.Context(), cmd.OutOrStdout(), name, e.asJSON); err != nil || found {
					return err
				}
				why, _, err := d.absence(cmd.Context(), name)
				if err != nil {
					return err
				}
				return fmt.Errorf("%s is not stored: %s", name, why)
			}
			if err != nil {
				return err
			}
			shown, err := d.around(cmd.Context(), one)
			if err != nil {
				return err
			}
			if e.asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(shown)
			}
			return shown.print(cmd.OutOrStdout(), time.Now())
		},
	}
	e.flags(cmd, "the event")
	return cmd
}

// goneText is what became of an event that is not stored any more.
const goneText = "it was sent, or a marker in its place"

// absence is why there is no event of a name: the entity counts its events, and stays. sent says
// whether there has been one.
func (d *desk) absence(ctx context.Context, name eventName) (why string, sent bool, err error) {
	entity, err := d.Load(ctx, name.key)
	switch {
	case err != nil:
		return "", false, err
	case entity.Version == 0:
		return "nothing has that key (a key is kind:id)", false, nil
	case name.seq > entity.LastSeq:
		return fmt.Sprintf("the newest event of its key is %d", entity.LastSeq), false, nil
	}
	return goneText, true, nil
}

// maxFollowers bounds what is counted: they are read, and may be many.
const maxFollowers = 1000

// around is the event as show has it, with what stands before and behind it.
func (d *desk) around(ctx context.Context, e outbox.Event) (storedEvent, error) {
	shown, followers := eventAsJSON(e), 0
	shown.Envelope, shown.Followers = e.Envelope, &followers
	err := walkKey(ctx, d, e.Key, 0, func(page []outbox.Event) error {
		for _, first := range page {
			if stateOf(first) == stateSkipped {
				continue // nobody waits for it
			}
			if first.Parked() && first.Seq < e.Seq {
				shown.WaitsFor = first.Seq
			}
			return errEnough
		}
		return nil
	})
	if err == nil || errors.Is(err, errEnough) {
		err = walkKey(ctx, d, e.Key, e.Seq, func(page []outbox.Event) error {
			if followers += len(page); followers >= maxFollowers {
				followers, shown.MoreFollowers = maxFollowers, true
				return errEnough
			}
			return nil
		})
	}
	if err != nil && !errors.Is(err, errEnough) {
		return shown, err
	}
	pauses, err := outbox.NewOperator(d, d, "", "").Pauses(ctx)
	shown.Paused = covering(pauses, e.Key)
	return shown, err
}

// covering is a pause that covers a key, nil if there is none.
func covering(pauses []outbox.Halt, key string) *outbox.Halt {
	for i := range pauses {
		if pauses[i].Covers(key) {
			return &pauses[i]
		}
	}
	return nil
}

// print prints the event for a person.
func (d storedEvent) print(out io.Writer, now time.Time) error {
	table, row := sheet(out)
	row("key", d.Key)
	row("number", d.Seq)
	row("event", d.Type+", "+d.ID)
	switch {
	case d.State == stateSkipped:
		row("state", "skipped: its key has gone on without it, and it is never sent")
	case d.State == statePending && d.WaitsFor != 0:
		row("state", fmt.Sprintf("pending: it waits for event %d, which is parked", d.WaitsFor))
	default:
		row("state", d.State)
	}
	if h := d.Paused; h != nil {
		row("paused", fmt.Sprintf("%s, by %s: %s", paused(*h), h.Author, dash(h.Reason)))
	}
	row("written", moment(d.CreatedAt, now))
	if f := d.Fault; f != nil {
		row("reason", f.Reason)
		row("refused", fmt.Sprintf("%s, the last time %s", times(f.Attempts), moment(f.At, now)))
		row("tried again", dueText(*f, now))
	}
	row("incarnation", d.Incarnation)
	row("trace", d.TraceParent)
	row("trace state", d.TraceState)
	row("behind it", behindText(*d.Followers, d.MoreFollowers))
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "envelope (%s)\n%s\n", plural(len(d.Envelope), "byte"), bodyText(d.Envelope))
	return err
}

func moment(at, now time.Time) string {
	return fmt.Sprintf("%s, %s ago", at.Format(time.RFC3339), span(now.Sub(at)))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprint(n, " times")
}

func behindText(n int, more bool) string {
	text := plural(n, "event")
	if more {
		text += " or more"
	}
	return text + " of its key"
}
