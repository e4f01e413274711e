package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/replay"
)

// replaying is the verb that brings a subscriber up to date.
type replaying struct {
	events
	kind, subscription string
	rate, backlog      int
	again, dryRun      bool
	author, reason     string

	mu    sync.Mutex
	spent float64 // request units; guarded by mu
}

func replayCommand() *cobra.Command {
	p := &replaying{}
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Bring a subscriber up to date that comes late",
		Long: `Has the state of every entity of a kind sent once more, as an event relaybox.KIND.snapshot, for a
subscription that was made after they were written. Make the subscription first, and give it ten
seconds: what is written since then reaches it by itself.

Each snapshot is committed beside its entity, under its next number, and goes out as any event does, to
all subscriptions; its property replayfor names the one it is meant for. Clients notice nothing:
versions, entity tags and contents stay. Of a deleted entity the snapshot has the state null.

It goes easy on live traffic: --rate entities a second, none while the store throttles, and none
while more than --backlog events are pending. Pauses hold its events up like any.

A run that is interrupted or killed does no harm. The same command again goes on with it; of a run that is
done it says so, and does nothing, unless --again begins a new one.

Settings are found as relaybox doctor finds them, and it signs in as you (az login). It takes the
role Cosmos DB Built-in Data Contributor on the account. RELAYBOX_SOURCE and COSMOS_KIND_CONTAINERS
must be the app's.

Exit status: 0 every entity has its snapshot, 1 something is left.`,
		Args: noArgs,
		RunE: p.run,
	}
	p.flags(cmd, "the result")
	flags := cmd.Flags()
	flags.StringVar(&p.kind, "kind", "", "the kind of the entities")
	flags.StringVar(&p.subscription, "subscription", "", "the subscription that it is meant for")
	flags.IntVar(&p.rate, "rate", 100, "at most this many entities a second")
	flags.IntVar(&p.backlog, "backlog", 1000, "wait while more events than this are pending, of all kinds")
	flags.BoolVar(&p.again, "again", false, "begin anew, whatever was done")
	flags.BoolVar(&p.dryRun, "dry-run", false, "say what would be done and what it would take, and do nothing")
	flags.StringVar(&p.author, "author", person(), "who does it, for the record")
	flags.StringVar(&p.reason, "reason", "", "why, for the record")
	return cmd
}

// What names a kind, and a subscription of Service Bus.
var (
	kindName         = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	subscriptionName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,48}[A-Za-z0-9])?$`)
)

func (p *replaying) check() error {
	switch {
	case !kindName.MatchString(p.kind):
		return usage("--kind is %q: name a kind of the app, 1 to 32 lower-case letters, digits and '-'", p.kind)
	case !subscriptionName.MatchString(p.subscription):
		return usage("--subscription is %q: name the subscription, 1 to 50 letters, digits, '.', '_' and '-'", p.subscription)
	}
	return errors.Join(atLeast("rate", p.rate, 1), atLeast("backlog", p.backlog, 1))
}

func (p *replaying) run(cmd *cobra.Command, _ []string) error {
	if err := p.check(); err != nil {
		return err
	}
	d, err := p.openWith(cosmos.Options{RetryBudget: replayRetries, Observer: p.spend})
	if err != nil {
		return err
	}
	defer d.Close()
	out, said := cmd.OutOrStdout(), &replayTeller{out: cmd.ErrOrStderr(), began: time.Now()}
	w := outbox.NewWriter(d, outbox.WriterOptions{Source: d.where.Source, MaxEventBytes: d.where.MaxEventBytes, CacheBytes: -1})
	r := replay.New(w, d, replay.Options{
		Kind: p.kind, Subscription: p.subscription, Author: p.author, Reason: p.reason, Rate: p.rate, Backlog: p.backlog, Again: p.again,
		Draft:  func(e outbox.Entity) outbox.Draft { return entity.SnapshotOf(e, p.subscription) },
		Charge: p.charge, Failed: said.failed,
	})
	ctx := cmd.Context()
	if p.dryRun {
		c, err := r.Count(ctx)
		if err != nil {
			return err
		}
		return p.planned(c).print(out, p.asJSON)
	}
	stop := said.follow(ctx, r)
	run, err := r.Do(ctx)
	stop()
	if run.ID != "" && !run.Done {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "not done; it goes on with: %s\n", p.same(cmd))
	}
	err = errors.Join(err, p.record(ctx, d, run, said, err))
	if printed := replayTold(run, r.Progress().So(), err).print(out, p.asJSON); printed != nil {
		return printed
	}
	if err == nil && run.Failed > 0 {
		return exitStatus(exitFailed)
	}
	return err
}

// replayRetries is how long one call is repeated before all calls wait.
const replayRetries = 2 * time.Second

// spend counts what an attempt took.
func (p *replaying) spend(_ context.Context, a cosmos.Attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spent += a.Charge
}

func (p *replaying) charge() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spent
}

// record keeps what was done beside the acts of other verbs.
func (p *replaying) record(ctx context.Context, d *desk, run replay.Run, said *replayTeller, fault error) error {
	if run.ID == "" || errors.Is(fault, replay.ErrTaken) || run.Done && run.At.Before(said.began) {
		return nil // nothing was done
	}
	a := outbox.Act{
		ID: run.ID, At: run.Began, Author: run.Author, Reason: run.Reason, Verb: outbox.VerbReplay, State: outbox.ActBegun,
		Type: entity.SnapshotOf(outbox.Entity{Key: outbox.Key(run.Kind, "")}, "").Type, ReplayFor: run.Subscription,
	}
	if run.Done {
		a.State = outbox.ActDone
	} else if fault != nil && ctx.Err() == nil {
		a.Error = fault.Error()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := d.Record(ctx, a); err != nil {
		return fmt.Errorf("record the replay: %w", err)
	}
	return nil
}

// same is the command that goes on.
func (p *replaying) same(cmd *cobra.Command) string {
	text := cmd.CommandPath()
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name == "again" {
			return
		}
		value := f.Value.String()
		if strings.ContainsAny(value, " '\"\\$`&;|<>()*?#~!") {
			value = "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
		}
		text += " --" + f.Name + "=" + value
	})
	return text
}

// replayTeller tells a person how a run goes.
type replayTeller struct {
	out   io.Writer
	began time.Time

	mu   sync.Mutex // guards out
	last int        // what the line before has said
}

// follow says each second how far the run is, until stop.
func (t *replayTeller) follow(ctx context.Context, r *replay.Replay) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				t.line(r.Progress())
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		following.Wait()
	}
}

func (t *replayTeller) line(p replay.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := p.So()
	text := fmt.Sprintf("%s, %s, %d had theirs, %.0f RU, %d/s", plurals(c.Entities, "entity", "entities"), plural(c.Snapshots, "snapshot"), c.Known, p.Charge, c.Snapshots-t.last)
	t.last = c.Snapshots
	if p.Waits != "" {
		text += "; waits: " + p.Waits
	}
	_, _ = fmt.Fprintln(t.out, text)
}

// failed tells of an entity whose snapshot can never be sent.
func (t *replayTeller) failed(key string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = fmt.Fprintf(t.out, "%s: no snapshot: %s\n", printable(key), printable(err.Error()))
}
