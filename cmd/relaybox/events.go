package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/cmd/relaybox/doctor"
	"github.com/relaybox/relaybox/outbox"
)

// events are the flags that all verbs about stored events have.
type events struct {
	where           doctor.Options
	choice          choice
	parked, pending bool // which are looked for
	asJSON          bool
}

func eventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "See, put back or skip the events that wait in the outbox",
		Long: `Works on the events that are stored beside the app's entities, here or in Azure: those that the
broker has refused, which are parked and hold up their key, and those that are pending.

Settings are found as relaybox doctor finds them, and it signs in as you (az login). Looking
takes the role Cosmos DB Built-in Data Reader on the account, redrive and skip the role Cosmos DB
Built-in Data Contributor.

An event's name is its key and its number with a slash between: kind:id/3.`,
	}
	cmd.AddCommand(eventsList(), eventsShow(), eventsRedrive(), eventsSkip(), eventsHistory())
	strictParent(cmd)
	return cmd
}

func (e *events) flags(cmd *cobra.Command, what string) {
	whereFlags(cmd, &e.where)
	cmd.Flags().BoolVar(&e.asJSON, "json", false, "print "+what+" as JSON")
}

func (e *events) choiceFlags(cmd *cobra.Command) {
	e.choice.thing = "event"
	e.choice.flags(cmd, "events", "written", "")
	cmd.Flags().StringVar(&e.choice.eventType, "type", "", "only events of this type")
	cmd.Flags().StringVar(&e.choice.cause, "cause", "", "only events whose last refusal says this, among other things")
}

// desk is the app's store, open for an operator.
type desk struct {
	*cosmos.Outbox
	client *cosmos.Client
	where  doctor.Entities
	Close  func()
}

// open finds the store. The caller closes what it gets.
func (e *events) open(patience time.Duration) (*desk, error) {
	return e.openWith(cosmos.Options{RetryBudget: patience})
}

// openWith is open with options of the client, but for who signs in.
func (e *events) openWith(opts cosmos.Options) (*desk, error) {
	e.where.Home = home()
	s, err := e.where.Entities()
	if err != nil {
		return nil, err
	}
	opts.Credential = s.Credential
	client := cosmos.Open(s.Connection, opts)
	return &desk{Outbox: client.Outbox(s.Database, s.Container, cosmos.OutboxOptions{Containers: s.Own}), client: client, where: s, Close: client.Close}, nil
}

// event reads one event whole.
func (d *desk) event(ctx context.Context, key string, seq int64) (outbox.Event, error) {
	return outbox.NewOperator(d, d, "", "").Event(ctx, key, seq)
}

// keyPage is how many events of a key are read at once, with their envelopes.
const keyPage = 100

// walk visits the events that are meant, page by page, those of a key that are in one page in
// order. Of names that nothing is stored under it tells absent.
func (e *events) walk(ctx context.Context, d *desk, visit func([]outbox.Event) error, absent func(name eventName) error) error {
	now := time.Now()
	some := func(page []outbox.Event) error {
		page = slices.DeleteFunc(page, func(one outbox.Event) bool { return !e.takes(one, now) })
		if len(page) == 0 {
			return ctx.Err()
		}
		slices.SortFunc(page, func(a, b outbox.Event) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Seq, b.Seq)) })
		return visit(page)
	}
	switch {
	case len(e.choice.names) > 0:
		return e.walkNames(ctx, d, some, absent)
	case e.choice.key != "":
		return walkKey(ctx, d, e.choice.key, 0, some)
	}
	var faults []error // of containers: the others are searched all the same
	for _, parked := range []bool{true, false} {
		if parked && !e.parked || !parked && !e.pending {
			continue
		}
		err := d.Waiting(ctx, parked, some)
		if errors.Is(err, errEnough) {
			return err
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// errEnough ends a walk that has shown as many as were asked for.
var errEnough = errors.New("that is enough")

// walkKey visits the events of a key behind a number, in order.
func walkKey(ctx context.Context, d *desk, key string, after int64, visit func([]outbox.Event) error) error {
	for {
		page, err := d.Pending(ctx, key, after, keyPage)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].Seq // a page may be short, and not the last
		if err := visit(page); err != nil {
			return err
		}
	}
}

// walkNames looks for each of the names, in order: those of a key are visited one after another.
func (e *events) walkNames(ctx context.Context, d *desk, visit func([]outbox.Event) error, absent func(eventName) error) error {
	names := make([]eventName, 0, len(e.choice.names))
	for _, text := range e.choice.names {
		name, err := parseEventName(text)
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b eventName) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.seq, b.seq)) })
	for page := range slices.Chunk(slices.Compact(names), keyPage) {
		var found []outbox.Event
		for _, name := range page {
			one, err := d.event(ctx, name.key, name.seq)
			switch {
			case err == nil:
				found = append(found, one)
				continue
			case !errors.Is(err, outbox.ErrGone):
				return err
			}
			if err := absent(name); err != nil {
				return err
			}
		}
		if err := visit(found); err != nil {
			return err
		}
	}
	return nil
}

// takes says whether an event is meant. Whoever names one is told of it, whatever its state.
func (e *events) takes(one outbox.Event, now time.Time) bool {
	kind, _ := outbox.SplitKey(one.Key)
	c := &e.choice
	return c.agrees(one.Key, kind, now.Sub(one.CreatedAt)) &&
		(c.eventType == "" || c.eventType == one.Type) &&
		(c.cause == "" || one.Parked() && strings.Contains(strings.ToLower(one.Fault.Reason), strings.ToLower(c.cause))) &&
		(len(c.names) > 0 || one.Parked() && e.parked || !one.Parked() && e.pending)
}

// eventName names an event: its key and its number.
type eventName struct {
	key string
	seq int64
}

func nameOf(e outbox.Event) eventName { return eventName{e.Key, e.Seq} }

// String has the number behind the last slash: a key may have slashes of its own.
func (n eventName) String() string { return fmt.Sprintf("%s/%d", n.key, n.seq) }

func parseEventName(text string) (eventName, error) {
	if i := strings.LastIndexByte(text, '/'); i > 0 {
		if seq, err := strconv.ParseInt(text[i+1:], 10, 64); err == nil && seq > 0 {
			return eventName{text[:i], seq}, nil
		}
	}
	return eventName{}, usage("%q names no event: write its key and its number, kind:id/3", text)
}
