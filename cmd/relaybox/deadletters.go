package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
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
		Short: "See, send again or drop what the consumer's subscription has dead-lettered",
		Long: `Works on the dead-letter queue of the app's subscription, here or in Azure.

Settings are found as relaybox doctor finds them, and it signs in as you (az login). Looking
takes the role Azure Service Bus Data Receiver on the subscription, redrive also Data Sender on
the topic.`,
	}
	cmd.AddCommand(deadLettersList(), deadLettersShow(), deadLettersRedrive(), deadLettersDrop())
	strictParent(cmd)
	return cmd
}

func (d *deadLetters) flags(cmd *cobra.Command, what string) {
	flags := cmd.Flags()
	flags.StringVar(&d.where.Settings, "settings", "", "settings file (default local.settings.json if it is here, else the environment alone)")
	flags.BoolVar(&d.where.ManagedIdentity, "managed-identity", false, "use the app's managed identity instead of yours")
	flags.BoolVar(&d.asJSON, "json", false, "print "+what+" as JSON")
}

// open finds the subscription. The caller closes what it gets.
func (d *deadLetters) open(opts servicebus.DeadLetterOptions) (*servicebus.DeadLetters, doctor.Consumer, error) {
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
			out := newList(cmd.OutOrStdout(), d.asJSON)
			chosen, now := 0, time.Now()
			var failed error
			err = letters.Each(cmd.Context(), 0, func(l servicebus.Letter) bool {
				if d.choice.takes(l, now) {
					chosen++
					failed = out.add(l)
				}
				return failed == nil && (d.choice.max == 0 || chosen < d.choice.max)
			})
			if err == nil {
				err = failed
			}
			if err != nil {
				return err
			}
			return out.end(chosen)
		},
	}
	d.flags(cmd, "the list")
	d.choice.flags(cmd)
	return cmd
}

// list prints letters as they come: a queue may hold more than memory does.
type list struct {
	out    io.Writer
	asJSON bool
	table  *tabwriter.Writer
	rows   int
}

func newList(out io.Writer, asJSON bool) *list {
	return &list{out: out, asJSON: asJSON, table: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
}

// rowsTogether have common columns; after them the table is printed so far.
const rowsTogether = 100

func (p *list) add(l servicebus.Letter) (err error) {
	p.rows++
	if p.asJSON {
		text, err := json.Marshal(letterAsJSON(l))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, "%s%s", map[bool]string{true: `{"deadLetters":[`, false: ",\n"}[p.rows == 1], text)
		return err
	}
	if p.rows == 1 {
		if _, err = fmt.Fprintln(p.table, "NUMBER\tENQUEUED\tKEY\tSEQ\tREASON\tMESSAGE"); err != nil {
			return err
		}
	}
	seq := "-"
	if l.Unreadable == nil {
		seq = fmt.Sprint(l.Event.Seq)
	}
	_, err = fmt.Fprintf(p.table, "%d\t%s\t%s\t%s\t%s\t%s\n", l.Number, l.Enqueued.Format(time.RFC3339), dash(l.Key()), seq, dash(l.Reason), dash(l.MessageID))
	if err == nil && p.rows%rowsTogether == 0 {
		err = p.table.Flush()
	}
	return err
}

func (p *list) end(chosen int) (err error) {
	switch {
	case p.asJSON && p.rows == 0:
		_, err = fmt.Fprintln(p.out, `{"deadLetters":[]}`)
	case p.asJSON:
		_, err = fmt.Fprintln(p.out, "]}")
	case p.rows == 0:
		_, err = fmt.Fprintln(p.out, "no dead letters")
	default:
		if err = p.table.Flush(); err == nil {
			_, err = fmt.Fprintf(p.out, "%s\n", plural(chosen, "dead letter"))
		}
	}
	return err
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

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return printable(text)
}

// printable is text without what a terminal would obey: anybody with the right to send has
// written it.
func printable(text string) string {
	quoted := strings.ReplaceAll(fmt.Sprintf("%q", text), `\"`, `"`)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\\`, `\`)
}
