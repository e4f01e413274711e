package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/cmd/relaybox/doctor"
)

// deadLetters are the flags that all verbs about dead letters have.
type deadLetters struct {
	where  doctor.Options
	choice choice
	asJSON bool
}

func deadLettersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deadletters",
		Short: "See, send again or drop what a consumer's subscription has dead-lettered",
		Long: `Works on the dead-letter queue of the app's subscription, or of the one that --subscription
names, here or in Azure.

Settings are found as relaybox doctor finds them, and it signs in as you (az login). Looking
takes the role Azure Service Bus Data Receiver on the subscription, redrive also Data Sender on
the topic. What is redriven or dropped is recorded in the app's store, which takes the role
Cosmos DB Built-in Data Contributor; without it, the records are lines of JSON on the standard
error.`,
	}
	cmd.AddCommand(deadLettersList(), deadLettersShow(), deadLettersRedrive(), deadLettersDrop())
	strictParent(cmd)
	return cmd
}

func (d *deadLetters) flags(cmd *cobra.Command, what string) {
	whereFlags(cmd, &d.where)
	cmd.Flags().StringVar(&d.where.Subscription, "subscription", "", "subscription of a further consumer (default: the one that EVENTS_SUBSCRIPTION names)")
	cmd.Flags().BoolVar(&d.asJSON, "json", false, "print "+what+" as JSON")
}

func (d *deadLetters) choiceFlags(cmd *cobra.Command) {
	d.choice.thing = "dead letter"
	d.choice.flags(cmd, "letters", "enqueued", ", the oldest first")
	cmd.Flags().StringVar(&d.choice.cause, "cause", "", "only letters that were dead-lettered for this reason, MaxDeliveryCountExceeded for example")
}

// takes says whether a letter is meant.
func (d *deadLetters) takes(l servicebus.Letter, now time.Time) bool {
	c := &d.choice
	return c.agrees(l.Key(), l.Kind(), now.Sub(l.Enqueued)) &&
		(c.cause == "" || c.cause == l.Reason) &&
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

// open finds the subscription. The caller closes what it gets.
func (d *deadLetters) open(opts servicebus.DeadLetterOptions) (*servicebus.DeadLetters, doctor.Consumer, error) {
	d.where.Home = home()
	s, err := d.where.Consumer()
	if err != nil {
		return nil, s, err
	}
	opts.Credential = s.Credential
	letters, err := servicebus.OpenDeadLetters(s.Connection, s.Topic, s.Subscription, opts)
	return letters, s, err
}

func hangUp(ctx context.Context, letters *servicebus.DeadLetters) {
	_ = letters.Close(context.WithoutCancel(ctx)) // what was to be done is done
}

func deadLettersList() *cobra.Command {
	var d deadLetters
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, oldest first",
		Long: `Lists the dead letters that the filters choose, in the order of the queue. It only looks: no
letter is locked, and nothing is counted. NUMBER is the sequence number, by which show, redrive
and drop know a letter; SEQ is the number of the event.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := d.choice.check(cmd); err != nil {
				return err
			}
			letters, _, err := d.open(servicebus.DeadLetterOptions{})
			if err != nil {
				return err
			}
			defer hangUp(cmd.Context(), letters)
			out := newList(cmd.OutOrStdout(), d.asJSON, "deadLetters", "dead letter", "NUMBER\tENQUEUED\tKEY\tSEQ\tREASON\tMESSAGE")
			now := time.Now()
			var failed error
			err = letters.Each(cmd.Context(), 0, func(l servicebus.Letter) bool {
				if d.takes(l, now) {
					failed = out.add(letterAsJSON(l), letterRow(l))
				}
				return failed == nil && (d.choice.max == 0 || out.rows < d.choice.max)
			})
			if err == nil {
				err = failed
			}
			if err != nil {
				return err
			}
			return out.end()
		},
	}
	d.flags(cmd, "the list")
	d.choiceFlags(cmd)
	return cmd
}

func deadLettersShow() *cobra.Command {
	var d deadLetters
	cmd := &cobra.Command{
		Use:   "show NUMBER|MESSAGE-ID",
		Short: "Show a dead letter with its body and properties",
		Long: `Shows the dead letter with that sequence number, or those with that message id. It only looks.

Exit status: 0 shown, 1 there is none.`,
		Args: exactlyOne("a sequence number or a message id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			letters, _, err := d.open(servicebus.DeadLetterOptions{})
			if err != nil {
				return err
			}
			defer hangUp(cmd.Context(), letters)
			found, err := find(cmd.Context(), letters, args[0])
			if err != nil {
				return err
			}
			if d.asJSON {
				all := []letter{}
				for _, l := range found {
					all = append(all, letterAsJSON(l).withContent(l))
				}
				return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
					DeadLetters []letter `json:"deadLetters"`
				}{all})
			}
			for _, l := range found {
				if err := printLetter(cmd.OutOrStdout(), l); err != nil {
					return err
				}
			}
			return nil
		},
	}
	d.flags(cmd, "the letter")
	return cmd
}

// find looks for a name: a number first, because that is what list prints in front.
func find(ctx context.Context, letters *servicebus.DeadLetters, name string) (found []servicebus.Letter, err error) {
	if number, ok := sequenceNumber(name); ok {
		err = letters.Each(ctx, number, func(l servicebus.Letter) bool {
			if l.Number == number {
				found = append(found, l)
			}
			return false
		})
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	err = letters.Each(ctx, 0, func(l servicebus.Letter) bool {
		if l.MessageID == name {
			found = append(found, l)
		}
		return true
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("there is no dead letter %q: relaybox deadletters list shows them", name)
	}
	return found, err
}
