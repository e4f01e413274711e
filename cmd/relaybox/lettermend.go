package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/azure/servicebus"
)

// letterMending is a verb that changes the dead letters.
type letterMending struct {
	deadLetters
	mending
	wait time.Duration
}

func deadLettersRedrive() *cobra.Command {
	m := letterMending{mending: mending{verb: "redrive", done: "redriven"}}
	cmd := &cobra.Command{
		Use:   "redrive [NUMBER|MESSAGE-ID ...]",
		Short: "Send dead letters to the topic again, each key in order",
		Long: `Sends a copy of each chosen dead letter to the topic, each key in the order of its events, and
removes the letter when the topic has confirmed the copy. Mend the cause first: what is refused
again comes back.

A run that is interrupted, killed or repeated loses nothing. It may send a message twice; the
app's consumer goes by the number of the event and applies it once.

A copy has the content, session and properties of its letter and a message id of its own,
because the topic drops what it has seen under an id. Other subscriptions of the topic get it,
too. Those that want none filter by its property redrivenfor, which names this subscription:
NOT EXISTS(redrivenfor).

A letter stays if an earlier event of its key lies in the queue and was not chosen: the consumer
would give that one up.

Exit status: 0 all that was chosen was sent, 1 something is left.`,
		RunE: m.run,
	}
	m.allFlags(cmd)
	return cmd
}

func deadLettersDrop() *cobra.Command {
	m := letterMending{mending: mending{verb: "drop", done: "dropped"}}
	cmd := &cobra.Command{
		Use:   "drop [NUMBER|MESSAGE-ID ...]",
		Short: "Remove dead letters for good",
		Long: `Removes the chosen dead letters after a question. It cannot be undone: the event of a letter
never reaches this consumer. Keep what you may need with show --json.

Exit status: 0 all that was chosen was dropped, 1 something is left.`,
		RunE: m.run,
	}
	m.allFlags(cmd)
	m.asks(cmd)
	return cmd
}

func (m *letterMending) allFlags(cmd *cobra.Command) {
	m.deadLetters.flags(cmd, "what was done")
	m.choiceFlags(cmd)
	m.mending.flags(cmd, &m.choice)
	cmd.Flags().DurationVar(&m.wait, "wait", 2*time.Minute, "how long to wait for letters that somebody else has locked")
}

func (m *letterMending) run(cmd *cobra.Command, args []string) error {
	m.choice.names = args
	if err := m.choice.checkMeant(cmd); err != nil {
		return err
	}
	if err := above("wait", m.wait); err != nil {
		return err
	}
	errOut := cmd.ErrOrStderr()
	letters, where, err := m.open(servicebus.DeadLetterOptions{Patience: m.wait, Notice: func(text string) { _, _ = fmt.Fprintln(errOut, text) }})
	if err != nil {
		return err
	}
	defer hangUp(cmd.Context(), letters)
	plan, unknown, err := m.plan(cmd.Context(), letters)
	if err != nil {
		return err
	}
	r := &mended{Verb: m.verb, DryRun: m.dryRun, Letters: []mendedLetter{}, Unknown: unknown}
	for _, l := range plan.Behind {
		r.add(servicebus.Act{Letter: l, Outcome: behind})
	}
	if m.dryRun {
		for _, l := range plan.Letters {
			r.add(servicebus.Act{Letter: l, Outcome: planned})
		}
		return r.finish(cmd.OutOrStdout(), m.asJSON, nil)
	}
	path := where.Topic + "/Subscriptions/" + where.Subscription
	if m.verb == "drop" && !m.yes && len(plan.Letters) > 0 {
		if err := m.ask(cmd, plural(len(plan.Letters), m.choice.thing), path); err != nil {
			return err
		}
	}
	if len(plan.Letters) == 0 {
		return r.finish(cmd.OutOrStdout(), m.asJSON, nil)
	}
	progress := &progress{out: errOut, total: len(plan.Letters), last: time.Now()}
	err = m.carryOut(cmd.Context(), letters, plan, path, r, progress.step, errOut)
	return r.finish(cmd.OutOrStdout(), m.asJSON, err)
}

// carryOut does what was planned with the letters of the subscription at path, and records it. Records
// that the store does not take go to out.
func (m *letterMending) carryOut(ctx context.Context, letters *servicebus.DeadLetters, plan servicebus.Plan, path string, r *mended, step func(), out io.Writer) error {
	records := m.records(path+"/$DeadLetterQueue", out)
	do := map[string]func(context.Context, servicebus.Plan, func(servicebus.Act)) error{"redrive": letters.Redrive, "drop": letters.Drop}[m.verb]
	err := do(ctx, plan, func(a servicebus.Act) {
		one := r.add(a)
		step()
		if a.Outcome != servicebus.Left { // then nothing was done
			records.keep(ctx, a, one)
		}
	})
	r.unrecorded = records.end()
	return err
}

// plan looks for what was chosen, and which names nothing has.
func (m *letterMending) plan(ctx context.Context, letters *servicebus.DeadLetters) (servicebus.Plan, []string, error) {
	now, met := time.Now(), map[string]bool{}
	takes := func(l servicebus.Letter) bool {
		for _, name := range m.choice.names {
			met[name] = met[name] || named(l, name)
		}
		return m.takes(l, now)
	}
	look := letters.PlanRedrive
	if m.verb == "drop" {
		look = letters.PlanDrop
	}
	plan, err := look(ctx, takes, m.choice.max)
	var unknown []string
	for _, name := range m.choice.names {
		if !met[name] && (m.choice.max == 0 || len(plan.Letters) < m.choice.max) {
			unknown = append(unknown, name)
		}
	}
	return plan, unknown, err
}

// Outcomes of letters that nobody touched.
const (
	behind  servicebus.Outcome = "behind"  // an earlier letter of its key was not chosen
	planned servicebus.Outcome = "planned" // --dry-run
)

// mended is what a run did, as JSON, too.
type mended struct {
	Verb    string                     `json:"verb"`
	DryRun  bool                       `json:"dryRun"`
	Counts  map[servicebus.Outcome]int `json:"counts"`
	Letters []mendedLetter             `json:"deadLetters"`
	Unknown []string                   `json:"unknown,omitempty"` // names that no letter has
	Error   string                     `json:"error,omitempty"`   // why the run ended early

	unrecorded error
}

type mendedLetter struct {
	SequenceNumber int64              `json:"sequenceNumber"`
	MessageID      string             `json:"messageId"`
	Key            string             `json:"key,omitempty"`
	Seq            int64              `json:"seq,omitempty"`
	Outcome        servicebus.Outcome `json:"outcome"`
	SentAs         string             `json:"sentAs,omitempty"`
	Error          string             `json:"error,omitempty"`
}

func (r *mended) add(a servicebus.Act) mendedLetter {
	l := mendedLetter{SequenceNumber: a.Letter.Number, MessageID: a.Letter.MessageID, Key: a.Letter.Key, Seq: a.Letter.Seq, Outcome: a.Outcome, SentAs: a.SentAs}
	if a.Err != nil {
		l.Error = a.Err.Error()
	}
	r.Letters = append(r.Letters, l)
	if r.Counts == nil {
		r.Counts = map[servicebus.Outcome]int{}
	}
	r.Counts[a.Outcome]++
	return l
}

// finish prints the result, and fails if something is left.
func (r *mended) finish(out io.Writer, asJSON bool, err error) error {
	if asJSON {
		if err != nil {
			r.Error = err.Error()
		}
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
	} else if err := r.print(out); err != nil {
		return err
	}
	left := r.Counts[servicebus.Failed] + r.Counts[servicebus.Left] + r.Counts[servicebus.Doubled] + r.Counts[behind] + len(r.Unknown)
	switch {
	case err != nil:
		return err
	case r.unrecorded != nil:
		return fmt.Errorf("not everything could be recorded: %w", r.unrecorded)
	case left > 0:
		return exitStatus(exitFailed)
	}
	return nil
}

// texts of the outcomes that a person should do something about, or know.
var outcomeTexts = map[servicebus.Outcome]string{
	behind:              "left: an earlier letter of its key was not chosen",
	servicebus.Left:     "left: an earlier one of its key failed, or the run ended; run it again",
	servicebus.Doubled:  "sent, and still in the queue; run it again",
	servicebus.Gone:     "was not in the queue any more",
	servicebus.Failed:   "failed",
	servicebus.Redriven: "redriven", servicebus.Dropped: "dropped", planned: "would be done",
}

func (r *mended) print(out io.Writer) error {
	var text strings.Builder
	for _, l := range r.Letters {
		if l.Outcome == servicebus.Redriven || l.Outcome == servicebus.Dropped {
			continue
		}
		fmt.Fprintf(&text, "%d %s %s: %s", l.SequenceNumber, dash(l.Key), dash(l.MessageID), outcomeTexts[l.Outcome])
		if l.Error != "" {
			text.WriteString(": " + printable(l.Error))
		}
		text.WriteString("\n")
	}
	for _, name := range r.Unknown {
		fmt.Fprintf(&text, "%s: no dead letter has that number or message id\n", printable(name))
	}
	var parts []string
	for _, o := range []servicebus.Outcome{planned, servicebus.Redriven, servicebus.Dropped, servicebus.Gone, servicebus.Failed, servicebus.Doubled, servicebus.Left, behind} {
		if n := r.Counts[o]; n > 0 {
			parts = append(parts, fmt.Sprint(n, " ", o))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no dead letter was chosen"}
	}
	text.WriteString(strings.Join(parts, ", ") + "\n")
	_, err := io.WriteString(out, text.String())
	return err
}
