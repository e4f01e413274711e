package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/cmd/relaybox/doctor"
	"github.com/relaybox/relaybox/health"
	"github.com/relaybox/relaybox/internal/pace"
	"github.com/relaybox/relaybox/nats/jetstream"
	"github.com/relaybox/relaybox/outbox"
)

// statusFlags are those of the verb.
type statusFlags struct {
	events
	oldest, watch time.Duration
}

func statusCommand() *cobra.Command {
	s := statusFlags{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what waits, what is stuck and what is paused",
		Long: `Counts what is stored and not sent, what the broker has refused, what the consumer waits for, and
dead letters, here or in Azure. It only looks, at the state as it is now: it needs no log and no
instance that runs.

It is red when the oldest pending event is older than --oldest, when anything is parked, and when
there are dead letters. A pause is shown, and makes nothing red by itself.

Settings are found as relaybox doctor finds them, and it signs in as you (az login). It takes the
roles Cosmos DB Built-in Data Reader and Azure Service Bus Data Receiver.

Exit status: 0 all is well, 1 something is red, 3 nothing is red but something could not be
looked at.`,
		Args: noArgs,
		RunE: s.run,
	}
	s.flags(cmd, "the state")
	cmd.Flags().DurationVar(&s.oldest, "oldest", 5*time.Minute, "how old the oldest pending event may be")
	cmd.Flags().DurationVar(&s.watch, "watch", 0, "look again and again, in this rhythm, until Ctrl-C (0 once)")
	return cmd
}

func (s *statusFlags) run(cmd *cobra.Command, _ []string) error {
	if err := above("oldest", s.oldest); err != nil {
		return err
	}
	if cmd.Flags().Changed("watch") {
		if err := above("watch", s.watch); err != nil {
			return err
		}
	}
	d, err := s.open(0)
	if err != nil {
		return err
	}
	defer d.Close()
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	for {
		st := s.look(ctx, d)
		if err := ctx.Err(); err != nil && s.watch == 0 {
			return err
		} else if err != nil {
			return nil
		}
		if err := st.print(out, s.asJSON); err != nil {
			return err
		}
		if s.watch == 0 {
			return st.exit()
		}
		if pace.Sleep(ctx, s.watch) != nil {
			return nil // which is how it ends
		}
		if !s.asJSON {
			_, _ = fmt.Fprintln(out)
		}
	}
}

// state is what status shows. What could not be looked at is nil, and stands in Unknown.
type state struct {
	At          time.Time     `json:"at"`
	Outbox      *outboxState  `json:"outbox"`
	Pauses      []outbox.Halt `json:"pauses"`
	EarlyKeys   *int          `json:"keysThatWaitForAnEvent"`
	DeadLetters *int          `json:"deadLetters"`
	// Further are the dead letters of further consumers, by subscription.
	Further map[string]int `json:"furtherDeadLetters,omitempty"`
	// Page is where a relaybox up shows the same.
	Page    string   `json:"page,omitempty"`
	Red     []string `json:"red"`
	Unknown []string `json:"unknown"`
}

type outboxState struct {
	Pending int     `json:"pending"`
	Oldest  float64 `json:"oldestPendingSeconds"`
	Parked  int     `json:"parked"`
	// Passed are parked events whose keys went on without them.
	Passed int `json:"passed"`
	// Keys are those that wait behind a parked event.
	Keys int `json:"blockedKeys"`
}

// look finds everything out at once.
func (s *statusFlags) look(ctx context.Context, d *desk) *state {
	st := &state{At: time.Now().UTC(), Page: d.where.Page, Red: []string{}, Unknown: []string{}}
	var all sync.WaitGroup
	var mu sync.Mutex // guards Unknown
	for what, find := range map[string]func() error{
		"the outbox": func() (err error) {
			st.Outbox, err = tally(ctx, d, st.At)
			return err
		},
		"the pauses": func() error {
			found, err := d.Halts(ctx)
			if err == nil {
				st.Pauses = append([]outbox.Halt{}, found.List...)
			}
			return err
		},
		"the consumer": func() (err error) {
			st.EarlyKeys, err = d.early(ctx)
			return err
		},
		"the dead letters": func() (err error) {
			if st.DeadLetters, err = s.dead(ctx, ""); err == nil {
				st.Further, err = s.further(ctx)
			}
			return err
		},
	} {
		all.Go(func() {
			if err := find(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				st.Unknown = append(st.Unknown, fmt.Sprintf("%s: %v", what, err))
			}
		})
	}
	all.Wait()
	if o := st.Outbox; o != nil && o.Oldest > s.oldest.Seconds() {
		st.Red = append(st.Red, fmt.Sprintf("the oldest pending event is older than %v", s.oldest))
	}
	if o := st.Outbox; o != nil && o.Parked > 0 {
		st.Red = append(st.Red, "the broker has refused events: relaybox events list")
	}
	if st.DeadLetters != nil && *st.DeadLetters > 0 {
		st.Red = append(st.Red, "there are dead letters: "+s.lister())
	}
	for _, name := range slices.Sorted(maps.Keys(st.Further)) {
		if st.Further[name] > 0 {
			st.Red = append(st.Red, "there are dead letters: relaybox deadletters list --subscription "+name)
		}
	}
	return st
}

func tally(ctx context.Context, d *desk, now time.Time) (*outboxState, error) {
	t, err := outbox.Count(ctx, d, now, 0, nil)
	if err != nil {
		return nil, err
	}
	return &outboxState{Pending: t.Pending, Oldest: t.Oldest.Seconds(), Parked: t.Parked, Passed: t.Passed, Keys: t.Keys}, nil
}

// early counts the keys of which the consumer has an event that came before its predecessor.
func (d *desk) early(ctx context.Context) (*int, error) {
	n, _, err := health.EarlyKeys(ctx, d.consumer(), 0)
	if err != nil {
		return nil, err
	}
	return &n, nil
}

// further counts the dead letters of further consumers, as far as it can.
func (s *statusFlags) further(ctx context.Context) (map[string]int, error) {
	named, err := s.where.Further()
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	var faults []error
	for _, subscription := range slices.Sorted(maps.Values(named)) {
		n, err := s.dead(ctx, subscription)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", subscription, err))
			continue
		}
		found[subscription] = *n
	}
	return found, errors.Join(faults...)
}

// dead counts the dead letters of a subscription; "" is ConsumeEvent's.
func (s *statusFlags) dead(ctx context.Context, subscription string) (*int, error) {
	where := s.where
	where.Subscription = subscription
	c, err := where.Consumer()
	if errors.Is(err, doctor.ErrStream) {
		return s.deadInStream(ctx, subscription)
	}
	if err != nil {
		return nil, err
	}
	letters, err := servicebus.OpenDeadLetters(c.Connection, c.Topic, c.Subscription, servicebus.DeadLetterOptions{Options: servicebus.Options{Credential: c.Credential}})
	if err != nil {
		return nil, err
	}
	defer hangUp(ctx, letters)
	n := 0
	if err := letters.Each(ctx, 0, func(servicebus.Letter) bool { n++; return ctx.Err() == nil }); err != nil {
		return nil, err
	}
	return &n, ctx.Err()
}

// lister is what lists dead letters.
func (s *statusFlags) lister() string {
	if _, err := s.where.Consumer(); errors.Is(err, doctor.ErrStream) {
		return "nats stream view, as docs/brokers.md says"
	}
	return "relaybox deadletters list"
}

// deadInStream counts those of an app whose events go to a stream; "" is its first durable consumer.
func (s *statusFlags) deadInStream(ctx context.Context, durable string) (*int, error) {
	l, err := s.where.Letters()
	if err != nil {
		return nil, err
	}
	client := jetstream.Open(l.Connection, jetstream.Options{})
	defer func() { _ = client.Close(ctx) }()
	seen, err := client.DeadLetters(ctx, l.Subject, cmp.Or(durable, l.Consumer))
	if err != nil {
		return nil, err
	}
	return &seen.Count, nil
}

// exit is what the verb ends with.
func (st *state) exit() error {
	switch {
	case len(st.Red) > 0:
		return exitStatus(exitFailed)
	case len(st.Unknown) > 0:
		return exitStatus(exitUnknown)
	}
	return nil
}

func (st *state) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(st)
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(name, value string) { _, _ = fmt.Fprintf(table, "%s\t%s\n", name, value) } // a Builder never fails
	if o := st.Outbox; o != nil {
		pending := fmt.Sprint(o.Pending)
		if o.Pending > 0 {
			pending += ", the oldest for " + span(time.Duration(o.Oldest*float64(time.Second)))
		}
		row("pending", pending)
		parked := fmt.Sprint(o.Parked)
		if o.Parked > 0 {
			parked += ", of " + plural(o.Keys, "key")
		}
		row("parked", parked)
		if o.Passed > 0 {
			row("skipped", fmt.Sprint(o.Passed, ", parked, and their keys went on"))
		}
	}
	if n := st.EarlyKeys; n != nil {
		row("consumer", plural(*n, "key")+" that wait for an event")
	}
	if n := st.DeadLetters; n != nil {
		row("dead letters", fmt.Sprint(*n))
	}
	for _, name := range slices.Sorted(maps.Keys(st.Further)) {
		if n := st.Further[name]; n > 0 {
			row("dead letters", fmt.Sprintf("%d of %s", n, name))
		}
	}
	for _, h := range st.Pauses {
		row("paused", printable(fmt.Sprintf("%s, since %s by %s: %s", paused(h), h.At.Format(time.RFC3339), h.Author, dash(h.Reason))))
	}
	if st.Page != "" {
		row("page", st.Page)
	}
	_ = table.Flush()
	for _, why := range st.Red {
		text.WriteString("RED: " + why + "\n")
	}
	for _, what := range st.Unknown {
		text.WriteString("cannot be looked at: " + printable(what) + "\n")
	}
	if len(st.Red)+len(st.Unknown) == 0 {
		text.WriteString("all is well\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}
