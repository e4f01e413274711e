package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/relaybox/relaybox/outbox"
)

// Queue is what was seen of a queue of messages.
type Queue struct {
	Count int
	// More: there are more than were counted.
	More bool
	// Oldest is when its first message came; zero without one.
	Oldest time.Time
}

// Limits are the thresholds above which the state is red.
type Limits struct {
	// Oldest is how old the oldest pending event, and the oldest message of the subscription, may be.
	Oldest time.Duration
	// Parked and DeadLetters are how many there may be.
	Parked, DeadLetters int
}

// Sources are what is looked at. Each may be asked while another is, and keeps to its context.
type Sources struct {
	// Store and Broker say whether they can be reached now.
	Store, Broker func(context.Context) error
	Outbox        func(context.Context) (outbox.Tally, error)
	Pauses        func(context.Context) ([]outbox.Halt, error)
	// Early counts the keys of which the consumer has an event that came before its predecessor.
	Early func(context.Context) (n int, more bool, _ error)
	// Subscription is nothing in an app that names none.
	Subscription
	// Consumers are the subscriptions of further consumers, by the consumer's name.
	Consumers map[string]Subscription
}

// Subscription is what lies in one, and beside it.
type Subscription struct {
	Active, DeadLetters func(context.Context) (Queue, error)
}

// Options tunes a Health; the zero value works, and is red at the first that is parked.
type Options struct {
	Limits Limits
	// Version is the app's.
	Version string
	// Logger hears why something could not be looked at; default: nobody does.
	Logger *slog.Logger
	// Fresh is how long the answer of a look stands; default 5 s.
	Fresh time.Duration
}

const (
	// reachTime bounds the look of a readiness probe, stateTime that at the whole state.
	reachTime = 5 * time.Second
	stateTime = 10 * time.Second
)

// Health answers those who ask how the app is.
type Health struct {
	opts         Options
	from         Sources
	ready, state kept
}

// New does no I/O: what nobody asks for is not looked at.
func New(from Sources, opts Options) *Health {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Fresh <= 0 {
		opts.Fresh = 5 * time.Second
	}
	h := &Health{opts: opts, from: from}
	h.ready = kept{look: h.reach, within: reachTime, fresh: opts.Fresh}
	h.state = kept{look: h.whole, within: stateTime, fresh: opts.Fresh}
	return h
}

// Live passes: who answers is alive.
func (h *Health) Live() Report { return Report{Status: Pass, Version: h.opts.Version} }

// Ready says whether store and broker can be reached.
func (h *Health) Ready(ctx context.Context) Report { return h.answer(ctx, &h.ready) }

// State says that too, and all that is stored and not done.
func (h *Health) State(ctx context.Context) Report { return h.answer(ctx, &h.state) }

func (h *Health) answer(ctx context.Context, k *kept) Report {
	r, ok := k.get(ctx)
	if !ok { // its caller has gone, most likely
		r = Report{Status: Pass}
		r.add("app:look", Check{Component: "system", Status: Fail, Time: time.Now().UTC(), Output: "the look has not ended in time"})
	}
	r.Version = h.opts.Version
	return r
}

// finder looks at one thing, and adds what it finds.
type finder func(ctx context.Context, add func(name string, c Check))

func (h *Health) reach(ctx context.Context) Report { return gather(ctx, h.reaches()) }

func (h *Health) whole(ctx context.Context) Report {
	all := append(h.reaches(), h.outbox, h.pauses, h.early)
	all = append(all, h.queues("subscription", h.from.Subscription)...)
	for name, s := range h.from.Consumers {
		all = append(all, h.queues(name, s)...)
	}
	return gather(ctx, all)
}

// gather asks all at once.
func gather(ctx context.Context, all []finder) Report {
	r := Report{Status: Pass}
	var asked sync.WaitGroup
	var mu sync.Mutex // guards r
	for _, find := range all {
		asked.Go(func() {
			find(ctx, func(name string, c Check) {
				mu.Lock()
				defer mu.Unlock()
				c.Time = time.Now().UTC()
				r.add(name, c)
			})
		})
	}
	asked.Wait()
	return r
}

func (h *Health) reaches() []finder {
	one := func(name, component string, try func(context.Context) error) finder {
		return func(ctx context.Context, add func(string, Check)) {
			ctx, cancel := context.WithTimeout(ctx, reachTime)
			defer cancel()
			began := time.Now()
			if err := try(ctx); err != nil {
				add(name, h.unseen(ctx, name, component, err))
				return
			}
			add(name, Check{Component: component, Value: time.Since(began).Milliseconds(), Unit: "ms", Status: Pass})
		}
	}
	return []finder{one("store:responseTime", "datastore", h.from.Store), one("broker:responseTime", "component", h.from.Broker)}
}

// unseen is what could not be looked at. It fails: the state may be anything.
func (h *Health) unseen(ctx context.Context, name, component string, err error) Check {
	h.opts.Logger.WarnContext(ctx, "health cannot look at it", "signal", "health", "check", name, "class", outbox.ClassOf(err).String(), "error", err)
	return Check{Component: component, Status: Fail, Output: "it cannot be looked at (" + outbox.ClassOf(err).String() + "); the app's log says why, with the signal health"}
}

// counted is a number against its limit; more: it is one of those that were counted.
func counted(component string, n int, more bool, limit int, above string) Check {
	c := Check{Component: component, Value: n, Status: Pass}
	switch {
	case n > limit:
		c.Status, c.Output = Fail, above
	case more:
		c.Status = Warn
	}
	return c.atLeast(more)
}

// atLeast says of a bounded look that there is more.
func (c Check) atLeast(more bool) Check {
	if !more {
		return c
	}
	const bound = "there are more than were counted"
	if c.Output != "" {
		c.Output += "; "
	}
	c.Output += bound
	return c
}

// aged is an age against the limit; more: something older may not have been seen.
func (h *Health) aged(component string, age time.Duration, more bool, what string) Check {
	c := Check{Component: component, Value: max(0, age.Seconds()), Unit: "s", Status: Pass}
	switch {
	case age > h.opts.Limits.Oldest:
		c.Status, c.Output = Fail, fmt.Sprintf("%s is older than %v", what, h.opts.Limits.Oldest)
	case more:
		c.Status, c.Output = Warn, "not all were looked at: there may be older ones"
	}
	return c
}

func (h *Health) outbox(ctx context.Context, add func(string, Check)) {
	const store = "datastore"
	t, err := h.from.Outbox(ctx)
	if err != nil {
		unseen := h.unseen(ctx, "outbox", store, err)
		for _, name := range []string{"outbox:pending", "outbox:oldestPending", "outbox:parked", "outbox:blockedKeys"} {
			add(name, unseen)
		}
		return
	}
	add("outbox:pending", Check{Component: store, Value: t.Pending, Status: Pass}.atLeast(t.MorePending))
	add("outbox:oldestPending", h.aged(store, t.Oldest, t.MorePending, "the oldest pending event"))
	add("outbox:parked", counted(store, t.Parked, t.MoreParked, h.opts.Limits.Parked, "the broker has refused events: relaybox events list"))
	add("outbox:blockedKeys", Check{Component: store, Value: t.Keys, Status: Pass}.atLeast(t.MoreParked))
	add("outbox:skipped", Check{Component: store, Value: t.Passed, Status: Pass}.atLeast(t.MoreParked))
}

func (h *Health) pauses(ctx context.Context, add func(string, Check)) {
	const name, store = "outbox:pauses", "datastore"
	list, err := h.from.Pauses(ctx)
	if err != nil {
		add(name, h.unseen(ctx, name, store, err))
		return
	}
	c := Check{Component: store, Value: len(list), Status: Pass}
	if len(list) > 0 { // what somebody wants is nothing red
		c.Status, c.Output = Warn, "an operator has paused what is sent: relaybox status"
	}
	add(name, c)
}

func (h *Health) early(ctx context.Context, add func(string, Check)) {
	const name, store = "consumer:earlyKeys", "datastore"
	n, more, err := h.from.Early(ctx)
	if err != nil {
		add(name, h.unseen(ctx, name, store, err))
		return
	}
	add(name, Check{Component: store, Value: n, Status: Pass}.atLeast(more))
}

// queues look at a subscription, under the name of who consumes it.
func (h *Health) queues(of string, s Subscription) []finder {
	return []finder{
		func(ctx context.Context, add func(string, Check)) { h.active(ctx, of, s, add) },
		func(ctx context.Context, add func(string, Check)) { h.deadLetters(ctx, of, s, add) },
	}
}

func (h *Health) active(ctx context.Context, of string, s Subscription, add func(string, Check)) {
	const queue = "component"
	name, oldest := of+":active", of+":oldestActive"
	q, ok := h.queue(ctx, name, s.Active, Warn, add) // with sessions nobody can look there
	if !ok {
		return
	}
	add(name, Check{Component: queue, Value: q.Count, Status: Pass}.atLeast(q.More))
	age := time.Duration(0)
	if !q.Oldest.IsZero() {
		age = time.Since(q.Oldest)
	}
	add(oldest, h.aged(queue, age, false, "the oldest message of the subscription")) // a queue shows its first one first
}

func (h *Health) deadLetters(ctx context.Context, of string, s Subscription, add func(string, Check)) {
	name := of + ":deadLetters"
	if q, ok := h.queue(ctx, name, s.DeadLetters, Fail, add); ok {
		add(name, counted("component", q.Count, q.More, h.opts.Limits.DeadLetters, "there are dead letters: relaybox deadletters list"))
	}
}

// queue looks at one, and adds why it could not, which is as bad as that.
func (h *Health) queue(ctx context.Context, name string, look func(context.Context) (Queue, error), bad Status, add func(string, Check)) (Queue, bool) {
	if look == nil {
		add(name, Check{Component: "component", Status: Warn, Output: "it is not looked at: EVENTS_SUBSCRIPTION is not set"})
		return Queue{}, false
	}
	q, err := look(ctx)
	if err != nil {
		c := h.unseen(ctx, name, "component", err)
		c.Status = bad
		add(name, c)
	}
	return q, err == nil
}

// errEnough ends a walk that has counted as many as were asked for.
var errEnough = errors.New("that is enough")

// Waiting is the consumer's store, as far as it is looked at.
type Waiting interface {
	Waiting(ctx context.Context, before time.Time, visit func(keys []string) error) error
}

// EarlyKeys counts the keys of which the consumer has an event that came before its predecessor,
// at most most, and all of them for 0.
func EarlyKeys(ctx context.Context, views Waiting, most int) (n int, more bool, _ error) {
	keys := map[string]struct{}{}
	ahead := time.Now().Add(time.Hour) // whoever stored them may have another clock
	err := views.Waiting(ctx, ahead, func(page []string) error {
		for _, key := range page {
			if _, known := keys[key]; !known && most > 0 && len(keys) == most {
				more = true
				return errEnough
			}
			keys[key] = struct{}{}
		}
		return ctx.Err()
	})
	if more {
		err = nil
	}
	return len(keys), more, err
}
