// Package chaos runs the app as real processes on real disks, breaks it at random for some
// minutes, and then reconciles a ledger: every acknowledged write against the stored version,
// its event, the event's delivery and its effect.
//
// It promises that a run without breaches has shown that nothing acknowledged was lost,
// nothing happened that nobody had asked for, no event counted twice or out of order, and
// that all answers fit one order per entity (package internal/history) — for this seed, on
// this machine. The faults are drawn from the seed; the timing is the machine's own, so a seed
// repeats the faults and not the run.
//
// # Processes
//
//	clients ──http──→ i0 … iN (host + handler) ──link──→ store (durable)
//	                        └──────────────────link──→ bus (durable) ──→ the app's subscription
//	                                                        └──→ the witness's: never received from
//
// Each instance has links of its own to store and bus, so that one can be cut off alone. The
// witnesses (what the clients were told, the store's documents, the messages of the topic) have
// links that nothing goes wrong with. Nothing is taken from the app's logs or answers about
// itself.
//
// # Stages
//
//	start ──→ faults and load ──→ heal ──→ drained, or patience ends ──→ reconciled
package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/relaybox/relaybox/cmd/relaybox/parts"
	"github.com/relaybox/relaybox/internal/history"
)

// Options of a run.
type Options struct {
	// Relaybox is the program that runs the parts: this one.
	Relaybox string
	// App is the assembled app.
	App string
	// Dir keeps data, logs and evidence.
	Dir string
	// Length is how long things go wrong; Instances is how many hosts there are.
	Length    time.Duration
	Instances int
	// Seed makes the faults and the load.
	Seed uint64
	// Without leaves sorts of faults out.
	Without []string
	// Disks gives store and bus disks of their own, in memory, which are full now and then.
	Disks bool
	// Drain is how long the last effect may take after everything is well again.
	Drain time.Duration
	Out   io.Writer

	settings map[string]string // of tests, over the run's own
}

// clientsPerInstance write and read at the same time; at least minClients do.
const (
	clientsPerInstance = 4
	minClients         = 16
)

var (
	// ErrUnsupported: only on Linux can processes be frozen and told apart here.
	ErrUnsupported = errors.New("chaos needs Linux: it freezes processes and looks at /proc")
	// ErrBroken: at least one promise was broken; the report says which.
	ErrBroken = errors.New("promises were broken")
)

// run is one run with what it has gathered.
type run struct {
	opts    Options
	began   time.Time
	cluster *cluster
	witness *witness
	load    *load
	probes  *probes
	record  *history.Recorder
	faults  *injector

	out    sync.Mutex // guards opts.Out and transcript
	script io.Writer

	evidence      *evidence
	stored, views []json.RawMessage
	report        *Report
}

// Run runs everything and prints the table. Its error is ErrBroken when a promise was.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	if err := Check(o); err != nil {
		return nil, err
	}
	if !o.Disks {
		o.Without = append(slices.Clone(o.Without), string(disks))
	}
	transcript, err := os.Create(filepath.Join(o.Dir, "faults.txt"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = transcript.Close() }() // it is for people
	r := &run{opts: o, began: time.Now(), record: &history.Recorder{}, script: transcript}
	ctx, cancel := context.WithCancel(ctx)
	r.cluster, err = start(ctx, o, r.note)
	defer func() {
		cancel()
		err = errors.Join(err, r.cluster.close(err != nil))
	}()
	if err != nil {
		return nil, err
	}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	defer r.witness.close()
	if err := r.play(ctx); err != nil {
		return nil, err
	}
	return r.report, r.judge()
}

// Check says what of the options makes no sense, or ErrUnsupported.
func Check(o Options) error {
	switch {
	case !parts.Supported:
		return ErrUnsupported
	case o.Instances < 1:
		return fmt.Errorf("there are %d instances: at least 1 must be", o.Instances)
	case o.Length <= 0:
		return fmt.Errorf("the run takes %v: it must be longer", o.Length)
	}
	for _, name := range o.Without {
		if !known(name) {
			return fmt.Errorf("%q is no sort of fault: use %v", name, sorts)
		}
	}
	return nil
}

func known(name string) bool {
	for _, s := range sorts {
		if string(s) == name {
			return true
		}
	}
	return false
}

func (r *run) prepare() (err error) {
	if r.witness, err = newWitness(r.cluster, r.opts.Seed); err != nil {
		return err
	}
	r.load = newLoad(r.cluster, r.record, r.opts.Seed, r.clients())
	r.probes, err = newProbes(r.cluster, r.load)
	r.faults = &injector{cluster: r.cluster, resend: r.witness.resend, note: r.note, count: map[sort]int{}}
	return err
}

func (r *run) clients() int { return max(minClients, clientsPerInstance*r.opts.Instances) }

// say is for the person, note for the transcript.
func (r *run) say(format string, args ...any) { r.tell(true, format, args...) }

func (r *run) note(format string, args ...any) { r.tell(false, format, args...) }

func (r *run) tell(aloud bool, format string, args ...any) {
	line := fmt.Sprintf("%7.2f s  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
	r.out.Lock()
	defer r.out.Unlock()
	_, _ = io.WriteString(r.script, line)
	if aloud {
		_, _ = io.WriteString(r.opts.Out, line)
	}
}

// play lets things go wrong under load, and then lets everything arrive.
func (r *run) play(ctx context.Context) error {
	plan := draw(r.opts.Seed, r.opts.Length, r.opts.Instances, r.opts.Without)
	r.say("store, bus and %d instances are up; %d faults in %v, %d clients", r.opts.Instances, len(plan), r.opts.Length, r.clients())
	writing, stopWriting := context.WithCancel(ctx)
	defer stopWriting()
	looking, stopLooking := context.WithCancel(ctx)
	defer stopLooking()
	var clients, probes sync.WaitGroup
	for n := range r.clients() {
		clients.Go(func() { r.load.client(n).run(writing) })
	}
	probes.Go(func() { r.probes.run(writing, looking) })

	faulting, cancel := context.WithTimeout(ctx, r.opts.Length)
	defer cancel()
	r.faults.run(ctx, plan)
	<-faulting.Done()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	healing, cancel := context.WithTimeoutCause(ctx, startTime, errors.New("the processes do not come back"))
	defer cancel()
	if err := r.cluster.heal(healing); err != nil {
		return err
	}
	r.say("all is well again; the clients go on for %v", calm)
	sleep(ctx, calm)
	stopWriting()
	clients.Wait()
	r.say("the clients have ended; everything has %v to arrive", r.opts.Drain)
	err := r.drain(ctx)
	stopLooking()
	probes.Wait()
	return err
}

// calm is how long the load goes on after the last fault, so that recovery is seen.
const calm = 5 * time.Second

// drain waits until everything has had its effect, and gathers the evidence. What has not
// arrived in time is for the ledger.
func (r *run) drain(ctx context.Context) error {
	until := time.Now().Add(r.opts.Drain)
	var moved time.Time
	var before standing
	for {
		err := r.gather(ctx)
		if err == nil && r.arrived() {
			r.say("everything has arrived")
			break
		}
		if err == nil && before != r.evidence.standing() {
			before, moved = r.evidence.standing(), time.Now()
		}
		if err == nil && before.idle() && time.Since(moved) > motionless {
			r.say("nothing is pending, nothing is on the subscription, and %d read models are behind their entities for %v", len(r.evidence.late()), motionless)
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(until) {
			if err != nil {
				return err
			}
			r.say("patience has ended: %d entities have pending events, %d parked ones, %d messages wait, %d read models are behind",
				len(r.evidence.pending), len(r.evidence.parked), r.evidence.waiting.active, len(r.evidence.late()))
			break
		}
		sleep(ctx, time.Second)
	}
	messages, err := r.witness.topic(ctx)
	if err != nil {
		return err
	}
	return r.evidence.readTopic(messages)
}

// motionless is how long nothing may change while nobody has anything to do.
const motionless = 15 * time.Second

func (r *run) arrived() bool {
	e := r.evidence
	return len(e.pending) == 0 && e.waiting.active == 0 && len(e.late()) == 0
}

// gather reads what is stored and what waits.
func (r *run) gather(ctx context.Context) (err error) {
	e := &evidence{}
	if r.stored, err = r.witness.documents(ctx, "COSMOS_OUTBOX_CONTAINER"); err != nil {
		return err
	}
	if r.views, err = r.witness.documents(ctx, "COSMOS_INBOX_CONTAINER"); err != nil {
		return err
	}
	if err := errors.Join(e.readOutbox(r.stored), e.readViews(r.views)); err != nil {
		return err
	}
	if e.waiting, err = r.witness.subscription(ctx); err != nil {
		return err
	}
	if e.waiting.dead > 0 {
		dead, err := r.witness.deadLetters(ctx)
		if err != nil {
			return err
		}
		for _, m := range dead {
			e.dead = append(e.dead, fmt.Sprintf("%s (%.300s)", m.MessageID, m.Body))
		}
	}
	r.evidence = e
	return nil
}

// judge reconciles, prints and keeps what is needed to find the reason.
func (r *run) judge() error {
	r.say("reconciling %d entities", len(r.record.Keys()))
	r.report = &Report{Seed: r.opts.Seed, Instances: r.opts.Instances, Length: r.opts.Length}
	r.report.Breaches = reconcile(r.evidence, r.record, checkTime)
	r.report.measure(r.record, r.evidence, r.faults, r.probes, r.cluster)
	if err := r.report.print(r.opts.Out); err != nil {
		return err
	}
	if len(r.report.Breaches) == 0 {
		return nil
	}
	return errors.Join(ErrBroken, r.keep(r.opts.Out))
}
