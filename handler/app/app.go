// Package app is the function app as a value: the clients, the writer, the dispatcher and
// the inbox, wired together behind one http.Handler. Command handler runs one in a process
// of its own; a simulation runs several in one, over connections that it can break.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/azure/redis"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/entity/problem"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/handler/telemetry"
	"github.com/relaybox/relaybox/health"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/nats/jetstream"
	"github.com/relaybox/relaybox/outbox"
)

// Grace is how long what runs may take when the app is asked to stop. The host does not
// ask, it kills; this is for people and supervisors.
const Grace = 5 * time.Second

// Options replace what the clients reach the cloud by, and the version of the app; the zero
// value reaches it as the configuration says, and is this version.
type Options struct {
	Store   cosmos.Options
	Bus     servicebus.Options
	Stream  jetstream.Options
	Edition functions.Edition
	// Telemetry is off if it is nil. The app closes it at its end.
	Telemetry *telemetry.Telemetry
}

// App is the function app with its clients. Making one does no I/O.
type App struct {
	cfg    config.Config
	log    *slog.Logger
	store  *cosmos.Client
	broker broker
	// hearers are of the consumers whose messages no host brings.
	hearers   []hearer
	fast      *outbox.FastPath
	functions http.Handler
	telemetry *telemetry.Telemetry
	// shared is the cache of reads that instances share, nil without one.
	shared *redis.Store
	// containers are the names of all that the app uses.
	containers []string
	// ready is closed when the app may touch its containers: at once in Azure, after
	// they were created against an emulator.
	ready chan struct{}
}

// New returns the app, or a list of all that keeps it from starting (config.Faults). The
// clients log to log, whatever opts say.
func New(cfg config.Config, log *slog.Logger, opts Options) (*App, error) {
	kinds, err := opts.Edition.AllKinds()
	if err != nil {
		return nil, err
	}
	consumers, err := inUse(cfg)
	if err != nil {
		return nil, err
	}
	ownOutbox, ownInbox := own(cfg)
	faults := slices.Concat(unknownKinds(cfg, kinds), unknownConsumers(cfg, consumers), sourceFaults(cfg, consumers))
	opts.Store.Logger, opts.Bus.Logger, opts.Stream.Logger = log, log, log
	tell := opts.Telemetry
	opts.Store.Observer = tell.Store()
	a := &App{cfg: cfg, log: log, telemetry: tell, ready: make(chan struct{})}
	a.containers = slices.Concat([]string{cfg.Cosmos.Outbox, cfg.Cosmos.Inbox}, slices.Sorted(maps.Values(ownOutbox)), slices.Sorted(maps.Values(ownInbox)), containersOf(cfg, consumers))
	a.store = cosmos.Open(cfg.CosmosConnection(), opts.Store)
	a.broker = open(cfg, opts)

	entities := a.store.Outbox(cfg.Cosmos.Database, cfg.Cosmos.Outbox, cosmos.OutboxOptions{Containers: ownOutbox})
	views := a.store.Inbox(cfg.Cosmos.Database, cfg.Cosmos.Inbox, cosmos.InboxOptions{Containers: ownInbox})
	observer := told(observe(log), tell.Outbox())

	dispatcher := outbox.NewDispatcher(entities, a.broker.publisher, dispatcherOptions(cfg, entities.Halts, observer))
	a.fast = outbox.NewFastPath(dispatcher, fastPathOptions(cfg))
	writer := outbox.NewWriter(entities, writerOptions(cfg, a.fast.Notify, observer, tell.Writer()))
	in := inbox.New(views, kinds.Apply, inboxOptions(cfg, a.broker.reach, toldInbox(observeInbox(log), tell.Consumer()), tell.Effects()))
	consumer := a.followed(in, a.broker.main)
	a.hear(a.broker.main, kinds.Taker(consumer, log).Take)
	further := map[string]functions.Inbox{}
	for _, c := range consumers {
		of := cfg.Subscription(c.Subscription)
		further[c.Name] = a.followed(a.inboxOf(c), of)
		a.hear(of, ruled(c, of, c.Kinds.Taker(further[c.Name], log.With("consumer", c.Name)).Take))
	}

	cached, err := openCache(cfg, log, entities, tell)
	if err != nil {
		faults = append(faults, err)
	}
	a.shared = cached.shared

	a.functions, err = functions.New(functions.Deps{
		Writer: writer, Reader: entities, Cache: cached.reads, Feed: cached.feed, Sweeper: dispatcher, Inbox: consumer, Consumers: further, Logger: log, Deadline: cfg.Deadline, Edition: opts.Edition,
		Follow: tell.Follow(timers()), Health: health.New(a.sources(entities, views, consumers), healthOptions(cfg, log)),
	})
	if faults = append(faults, config.Faults(err)...); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return a, nil
}

// timers says of a function of the app whether a timer calls it.
func timers() func(name string) bool {
	triggers, err := functions.Triggers() // an app with a faulty one does not start
	return func(name string) bool { return err == nil && triggers[name].Type == "timerTrigger" }
}

// own are the containers of kinds that have their own, by kind, on both sides.
func own(cfg config.Config) (outbox, inbox map[string]string) {
	outbox, inbox = map[string]string{}, map[string]string{}
	for kind, c := range cfg.OwnContainers() {
		outbox[kind], inbox[kind] = c.Outbox, c.Inbox
	}
	return outbox, inbox
}

// unknownKinds has a fault for each kind that only the settings know: it is misspelt, and
// the right one would be stored in the shared containers.
func unknownKinds(cfg config.Config, kinds *entity.Kinds) []error {
	var faults []error
	for _, kind := range slices.Sorted(maps.Keys(cfg.OwnContainers())) {
		if !slices.Contains(kinds.Names(), kind) {
			faults = append(faults, fmt.Errorf("COSMOS_KIND_CONTAINERS names the kind %q, which the app does not know: write one of %s", kind, strings.Join(kinds.Names(), ", ")))
		}
	}
	return faults
}

// Run does the slow part of the start and the background work until ctx ends.
func (a *App) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { a.warm(ctx) })
	wg.Go(func() { a.greet(ctx) })
	wg.Go(func() { a.meet(ctx) })
	wg.Go(func() { a.dispatch(ctx) })
	wg.Go(func() { a.consume(ctx) })
	wg.Wait()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), Grace)
	defer cancel()
	a.hangUp(closing)
	a.store.Close()
	a.leave()
	if err := a.telemetry.Close(closing); err != nil {
		a.log.Warn("the last telemetry was not taken", "error", err)
	}
}

// lastWords is how much of Grace is left to telemetry, which tells of what the rest does at
// its end, too.
const lastWords = 2 * time.Second

func (a *App) hangUp(ctx context.Context) {
	if a.telemetry != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Grace-lastWords)
		defer cancel()
	}
	if err := a.broker.close(ctx); err != nil {
		a.log.Warn(a.broker.name+" client did not close", "error", err)
	}
}

// dispatch runs the fast path once there are containers in which it can look for orphans.
func (a *App) dispatch(ctx context.Context) {
	select {
	case <-a.ready:
		a.fast.Run(ctx)
	case <-ctx.Done():
	}
}

// consume takes messages from a broker whose messages no host brings, once there are containers for
// what comes of them.
func (a *App) consume(ctx context.Context) {
	select {
	case <-a.ready:
	case <-ctx.Done():
		return
	}
	var all sync.WaitGroup
	for _, h := range a.hearers {
		all.Go(func() { a.broker.consume(ctx, h.of, h.take) })
	}
	all.Wait()
}

// warm connects ahead of the first request. Against an emulator it makes the
// containers; in Azure, infrastructure owns them, and no request waits for this.
func (a *App) warm(ctx context.Context) {
	if !a.cfg.CosmosConnection().Emulator() {
		close(a.ready)
		if err := a.store.Ready(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("cosmos db does not answer yet; requests will try again", "error", err)
		}
		return
	}
	for {
		err := a.store.EnsureContainers(ctx, a.cfg.Cosmos.Database, a.containers...)
		if err == nil {
			close(a.ready)
			a.log.Info("containers are there", "database", a.cfg.Cosmos.Database)
			return
		}
		if ctx.Err() != nil {
			return
		}
		a.log.Error("containers cannot be created; trying again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// greet connects the publisher ahead of the first event.
func (a *App) greet(ctx context.Context) {
	if err := a.broker.publisher.Ready(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn(a.broker.name+" does not answer yet; events wait in the outbox", "error", err)
	}
}

// meet connects to the cache that instances share ahead of the first read, which has little patience.
func (a *App) meet(ctx context.Context) {
	if a.shared == nil {
		return
	}
	if err := a.shared.Ready(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("redis does not answer yet; reads go to the store", "error", err)
	}
}

func (a *App) leave() {
	if a.shared == nil {
		return
	}
	if err := a.shared.Close(); err != nil {
		a.log.Warn("redis client did not close", "error", err)
	}
}

// ServeHTTP implements http.Handler. Only the host's probe and those of health are answered
// before the app is ready; an invocation waits as long as its caller does.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" && !asksForHealth(r) && !a.isReady(r) {
		azfunc.Drain(w, r)
		// For a trigger that is not HTTP any status but 2xx is a failure.
		problem.Answer(w, r, a.log, &outbox.Error{Class: outbox.Unavailable, Op: "wait for the containers", RetryAfter: time.Second})
		return
	}
	a.functions.ServeHTTP(w, r)
}

func (a *App) isReady(r *http.Request) bool {
	select {
	case <-a.ready:
		return true
	default:
	}
	timer := time.NewTimer(a.patience(r))
	defer timer.Stop()
	select {
	case <-a.ready:
		return true
	case <-r.Context().Done():
	case <-timer.C:
	}
	return false
}

// httpPatience is how long an HTTP invocation waits for the containers of an emulator
// that is still starting.
const httpPatience = 20 * time.Second

// patience is how long an invocation waits for the app to become ready. A message waits
// as long as the inbox would hold it: giving it back would use up a delivery.
func (a *App) patience(r *http.Request) time.Duration {
	if path := strings.ToLower(r.URL.Path); strings.HasPrefix(path, "/api/") {
		return httpPatience
	}
	return a.cfg.Inbox.Hold
}
