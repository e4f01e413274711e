// Package demo shows the product's promise, and checks it: a thousand writes to two kinds of
// entity over real HTTP, their events over real AMQP, an outage of the broker and a SIGKILL of the
// handler in the middle, and then every write and every event is accounted for.
//
// It promises that a run which returns nil has lost nothing, applied nothing twice and
// reordered nothing, and that a profile and an order with the same id never met, by
// witnesses of its own: what the clients were told (status and ETag), what the store holds,
// what a subscription of the demo's own received, what the consumer's read model became and
// what was dead-lettered. What requests make of a profile and of an order is written anew
// here. Nothing is taken from the app's logs or answers
// about itself. It does not promise to find a fault that happens once in a million
// writes: that is for the simulation.
//
// # Stages of a run
//
//	full speed ──→ drained ──→ calm ──→ drained ──→ disturbed ──→ drained ──→ checked
//	 writes/s                  fast path               │  │
//	                                                   │  └ handler killed while the backlog leaves
//	                                                   └ broker cut for three seconds
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/cmd/relaybox/parts"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/stack"
)

// Options of a run; the zero value needs an App.
type Options struct {
	// App is the assembled app.
	App string
	// Dir keeps the data and the logs of the run.
	Dir string
	// Writes is the number of writes, about a quarter of them to orders; default 1,000.
	Writes int
	// Seed makes the workload; the timing is the machine's own.
	Seed uint64
	// Instances, if it is above zero, is how many hosts with their handlers, processes of their own,
	// stand behind a proxy, and come and go while writes are sent at Rate a second: a run of another
	// kind, which needs Relaybox, the program that runs them.
	Instances int
	Rate      float64
	Relaybox  string
	// Broker is the stack's; "" is Service Bus. A run with Instances has no other.
	Broker stack.Broker
	// Out hears of progress and gets the table; JSON, if it is set, gets the Report.
	Out  io.Writer
	JSON io.Writer
}

const (
	clients = 16
	// outage is how long the broker is away.
	outage = 3 * time.Second
	// drainLimit is how long the last event may take to arrive.
	drainLimit = 30 * time.Second
	// auditName is the demo's own subscription.
	auditName = "demo-audit"
	// streamWait is how long a stream waits for what the handler had in hand when it was killed.
	streamWait = 5 * time.Second
)

// Stages of the workload: shares of the writes in percent (the rest is the storm), and
// how long those take that are not at full speed.
const (
	percentFast = 40
	percentCalm = 20
	calmTime    = 2 * time.Second
	stormTime   = 4 * time.Second
	// percentKill is the write of the storm at which the handler is killed: just after
	// the broker is back, when the backlog is on its way.
	percentKill = 77
)

// ErrNotDrained: events were still on their way when the demo's patience ended.
var ErrNotDrained = errors.New("events are still on their way")

// ErrUnsupported: instances are killed with their host on Linux only.
var ErrUnsupported = errors.New("several instances need Linux, where a handler dies with its host; leave --instances out")

// run is one run with what it has gathered.
type run struct {
	opts    Options
	stack   *stack.Stack
	fleet   *fleet // nil: one host, in this process
	base    string // of the API's URLs
	watch   *watch
	audit   busWitness
	journal *journal
	http    *http.Client
	out     sync.Mutex // guards opts.Out
	done    atomic.Int64
	began   time.Time
	calm    span
	speed   float64
}

// Run runs the demo and prints its table. It returns nil when every invariant held,
// *BrokenError when one did not.
func Run(ctx context.Context, o Options) error {
	if o.Writes <= 0 {
		o.Writes = 1000
	}
	if o.Instances > 0 && !parts.Supported {
		return ErrUnsupported
	}
	r := &run{opts: o, journal: newJournal(), began: time.Now()}
	r.http = newHTTP(r.crowd())
	log, err := os.OpenFile(r.logFile(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // it is for people
	if err := r.start(log); err != nil {
		return err
	}
	auditing, stopAudit := context.WithCancel(ctx)
	audited := make(chan struct{})
	go func() { defer close(audited); r.audit.run(auditing) }()
	defer func() { stopAudit(); <-audited }()
	if o.Instances > 0 {
		if err = r.startFleet(ctx); err == nil {
			err = r.playFleet(ctx)
		}
	} else {
		err = r.play(ctx)
	}
	if err != nil && !errors.Is(err, ErrNotDrained) {
		return errors.Join(err, r.close())
	}
	result, checkErr := r.result(ctx)
	stopAudit()
	<-audited
	if err := errors.Join(checkErr, r.close(), r.stack.Err()); err != nil {
		return err
	}
	if err := result.print(o.Out); err != nil {
		return err
	}
	if o.JSON != nil {
		if err := result.encode(o.JSON, o.Seed); err != nil {
			return err
		}
	}
	return errors.Join(result.err(), err)
}

// close ends the instances, and then what they work on.
func (r *run) close() error {
	var err error
	if r.fleet != nil {
		err = r.fleet.close()
	}
	return errors.Join(err, r.stack.Close())
}

// logFile holds what the stack and the handler log.
func (r *run) logFile() string { return filepath.Join(r.opts.Dir, "demo.log") }

func (r *run) say(format string, args ...any) {
	r.out.Lock()
	defer r.out.Unlock()
	_, _ = fmt.Fprintf(r.opts.Out, "%5.1f s  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

// start brings the stack up, with a witness beside the app.
func (r *run) start(log io.Writer) error {
	settings := stack.Defaults()
	settings["DISPATCH_SCHEDULE"] = "*/2 * * * * *" // the sweep, so that the demo ends soon
	r.watch = newWatch(settings["COSMOS_INBOX_CONTAINER"])
	cfg := stack.Config{
		App: r.opts.App, Data: filepath.Join(r.opts.Dir, "data"), Settings: settings, CosmosFront: r.watch.front,
		Logger: slog.New(slog.NewTextHandler(log, nil)), HandlerOutput: log, Notice: func(s string) { r.say("%s", s) },
		Broker: r.opts.Broker, StreamWait: streamWait,
	}
	if r.opts.Instances > 0 {
		settings["AzureWebJobs.RefreshCache.Disabled"] = "false" // they share a cache
		r.watch.outbox = settings["COSMOS_OUTBOX_CONTAINER"]
		settings["DISPATCH_SCHEDULE"] = stack.Defaults()["DISPATCH_SCHEDULE"] // each has its own
		cfg.Only = []stack.Part{stack.Cosmos, stack.Bus}
	}
	var err error
	if r.opts.Broker != stack.JetStream {
		if cfg.Topology, err = r.topology(settings); err != nil {
			return err
		}
	}
	if r.stack, err = stack.Start(cfg); err != nil {
		return err
	}
	r.base = r.stack.HostURL
	if r.audit, err = r.witness(settings); err != nil {
		return errors.Join(err, r.stack.Close())
	}
	return nil
}

// topology is the app's, with a subscription of the audit's own beside those of the app.
func (r *run) topology(settings map[string]string) (*minibus.Config, error) {
	consumers, err := stack.Consumers(r.opts.App, settings)
	if err != nil {
		return nil, err
	}
	topology := stack.Topology(settings["EVENTS_TOPIC"], settings["EVENTS_SUBSCRIPTION"], consumers...)
	all := &topology.Topics[0].Subscriptions
	own := (*all)[0]
	own.Name, own.RequiresSession, own.LockDuration = auditName, false, 5*time.Second
	if r.opts.Instances > 0 {
		for i := range *all {
			(*all)[i].LockDuration = fleetLock
		}
		own.LockDuration = fleetPatience
	}
	*all = append(*all, own)
	return topology, nil
}

// witness is who sees what was on the bus.
func (r *run) witness(settings map[string]string) (busWitness, error) {
	if r.opts.Broker == stack.JetStream {
		return newStreamAudit(r.stack.NATS, r.stack.Settings)
	}
	a, err := newAudit(r.stack.BusConnection, settings["EVENTS_TOPIC"], auditName)
	if err == nil && r.opts.Instances > 0 {
		a.patience = fleetPatience
	}
	return a, err
}

// play sends the workload in its stages and waits until everything has arrived.
func (r *run) play(ctx context.Context) error {
	stopTelling := r.tell(ctx)
	defer stopTelling()
	if err := r.awaitApp(ctx); err != nil {
		return err
	}
	r.say("store, bus, host and app are up; %d writes to %d profiles and %d orders by %d clients", r.opts.Writes, profiles.ids, orders.ids, clients)
	writes := plan(rand.New(rand.NewPCG(r.opts.Seed, 0)), r.opts.Writes, 1)
	fast, calm := len(writes)*percentFast/100, len(writes)*percentCalm/100

	began := time.Now()
	if err := r.send(ctx, writes[:fast], pace{}, nil); err != nil {
		return err
	}
	r.speed = float64(fast) / time.Since(began).Seconds()
	if err := r.drain(ctx); err != nil {
		return err
	}
	r.calm.from = time.Now()
	if err := r.send(ctx, writes[fast:fast+calm], pace{over: calmTime}, nil); err != nil {
		return err
	}
	r.calm.to = time.Now()
	if err := r.drain(ctx); err != nil {
		return err
	}
	if err := r.disturb(ctx, writes[fast+calm:]); err != nil {
		return err
	}
	return r.drain(ctx)
}

// disturb sends writes while the broker is away and the handler is killed.
func (r *run) disturb(ctx context.Context, writes []write) error {
	r.stack.BusNet.Cut()
	r.say("the broker is cut off for %v", outage)
	healed := make(chan struct{})
	go func() {
		defer close(healed)
		select {
		case <-time.After(outage):
		case <-ctx.Done():
		}
		r.stack.BusNet.Heal()
		r.say("the broker is back")
	}()
	err := r.send(ctx, writes, pace{over: stormTime, burst: clients}, func(n int) error {
		if n != len(writes)*percentKill/100 {
			return nil
		}
		return r.kill()
	})
	<-healed
	return err
}

// kill ends the handler as a power cut would.
func (r *run) kill() error {
	pid := r.stack.HandlerPID()
	process, err := os.FindProcess(pid)
	if err == nil && pid > 0 {
		err = process.Kill()
	}
	if err != nil || pid == 0 {
		return fmt.Errorf("kill the handler, process %d: %w", pid, err)
	}
	r.say("the handler (process %d) got SIGKILL", pid)
	return nil
}
