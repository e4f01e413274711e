package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// goal is where a flow's clock stops.
type goal int

const (
	stored   goal = iota // at the last answer; nothing is sent
	answered             // at the last answer, while events are sent and consumed
	applied              // at the last effect
)

// flow is a load of writes and what comes of them.
type flow struct {
	keys []string
	// clients write one after another; with every there are none, and a write begins each.
	clients int
	every   time.Duration
	goal    goal
	hosts   int  // default 1
	timed   bool // the effect of each event
}

func (w flow) run(ctx context.Context, t *trial) (f Figures, err error) {
	var settings map[string]string
	if w.goal == stored {
		settings = off(noDispatch, noConsumer)
	}
	urls, err := t.rig.serve(ctx, max(1, w.hosts), settings)
	if err != nil {
		return f, err
	}
	watcher, err := t.rig.watch()
	if err != nil {
		return f, err
	}
	l := newLoad(urls, max(w.clients, 64))
	if err := w.warm(ctx, t, watcher, l); err != nil {
		return f, err
	}
	m, err := meterOf(ctx, t.rig)
	if err != nil {
		return f, err
	}
	seen := &effects{seen: map[string][]sighting{}}
	stop := func() error { return nil }
	if w.timed {
		following, cancel := context.WithCancel(ctx)
		defer cancel()
		if stop, err = follow(following, cancel, watcher, seen); err != nil {
			return f, err
		}
	}
	before := l.acknowledgements()
	w.send(ctx, t, l)
	f.Events = l.acknowledgements() - before
	if w.goal != applied {
		if err := m.stop(ctx, &f, time.Now()); err != nil {
			return f, err
		}
	}
	end, stuck := w.settle(ctx, t, watcher, l)
	if stuck != nil && !errors.Is(stuck, errStuck) {
		return f, stuck
	}
	if w.goal == applied {
		if err := m.stop(ctx, &f, end); err != nil {
			return f, err
		}
	}
	if err := stop(); err != nil {
		return f, err
	}
	if f.Answer, f.Refused = spread(l.answer), l.refusals(); f.Refused > 0 {
		t.say("%d writes were refused, the first: %v", f.Refused, l.fault)
	}
	if w.timed {
		f.Effect = spread(seen.took(l.due))
	}
	return f, w.outcome(ctx, watcher, l, before, &f, stuck)
}

// warm opens connections and has everything done once, by keys of its own.
func (w flow) warm(ctx context.Context, t *trial, watcher *watcher, l *load) error {
	list := make([]string, max(clients, w.clients))
	for i := range list {
		list[i] = fmt.Sprint("warm-", i)
	}
	l.closed(ctx, len(list), list)
	if l.fault != nil {
		return l.fault
	}
	if _, err := w.settle(ctx, t, watcher, l); err != nil {
		return err
	}
	l.answer = nil
	clear(l.due)
	return t.rig.countSends(ctx)
}

// send has the load sent.
func (w flow) send(ctx context.Context, t *trial, l *load) {
	done := make(chan struct{})
	var telling sync.WaitGroup
	sent := l.sent.Load()
	telling.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Second):
				t.progress("%d of %d written", l.sent.Load()-sent, len(w.keys))
			}
		}
	})
	if w.every > 0 {
		l.open(ctx, w.every, w.keys)
	} else {
		l.closed(ctx, w.clients, w.keys)
	}
	close(done)
	telling.Wait()
}

// settle waits until every event has had its effect, unless none is sent.
func (w flow) settle(ctx context.Context, t *trial, watcher *watcher, l *load) (time.Time, error) {
	if w.goal == stored {
		return time.Now(), nil
	}
	n := l.acknowledgements()
	return watcher.until(ctx, func(s standing) { t.progress("%d of %d sent, %d waiting", s.sent, n, s.waiting) },
		func(s standing) bool { return s.sent >= n && s.waiting == 0 })
}

// outcome holds what came of it against what the clients were told; the first events, before of
// them, are the warm-up's. stuck says that something is missing: then that is found, or it is an
// error of its own.
func (w flow) outcome(ctx context.Context, watcher *watcher, l *load, before int, f *Figures, stuck error) (err error) {
	if w.goal == stored {
		f.Outcome, err = onlyStored(ctx, watcher, l)
		return err
	}
	messages, numbers, err := watcher.topic(ctx)
	if err != nil {
		return err
	}
	models, err := watcher.models(ctx)
	if err != nil {
		return err
	}
	f.Twice = dropped(numbers, before)
	if f.Outcome = onTopic(l.writes, messages).add(inViews(l.writes, models)); f.Outcome.Good() {
		return stuck
	}
	return nil
}

// errNotOff: the figures would be those of something else.
var errNotOff = errors.New("the dispatcher is off, and events came to the topic")

func onlyStored(ctx context.Context, watcher *watcher, l *load) (o Outcome, err error) {
	s, err := watcher.standing(ctx)
	if err != nil {
		return o, err
	}
	if s.sent > 0 {
		return o, fmt.Errorf("%w: %d", errNotOff, s.sent)
	}
	versions, err := watcher.stored(ctx)
	if err != nil {
		return o, err
	}
	happened := map[string]int{}
	for key, version := range versions {
		happened[key] = int(version)
	}
	for key, w := range l.writes {
		o.Lost += max(0, w.writes-happened[key])
	}
	return o.add(phantoms(l.writes, happened)), nil
}

// follow times effects until it is stopped.
func follow(ctx context.Context, cancel context.CancelFunc, watcher *watcher, seen *effects) (stop func() error, err error) {
	views, err := watcher.container("COSMOS_INBOX_CONTAINER")
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- seen.follow(ctx, views) }()
	return func() error {
		time.Sleep(10 * feedEvery) // the last effect's page is on its way
		cancel()
		return <-ended
	}, nil
}

// idle is everything on, and nobody who wants anything.
type idle struct{ length time.Duration }

func (w idle) run(ctx context.Context, t *trial) (f Figures, err error) {
	urls, err := t.rig.serve(ctx, 1, nil)
	if err != nil {
		return f, err
	}
	watcher, err := t.rig.watch()
	if err != nil {
		return f, err
	}
	all := flow{goal: applied}
	l := newLoad(urls, clients)
	if err := all.warm(ctx, t, watcher, l); err != nil {
		return f, err
	}
	m, err := meterOf(ctx, t.rig)
	if err != nil {
		return f, err
	}
	select {
	case <-time.After(w.length):
	case <-ctx.Done():
		return f, ctx.Err()
	}
	if err := m.stop(ctx, &f, time.Now()); err != nil {
		return f, err
	}
	return f, all.outcome(ctx, watcher, l, l.acknowledgements(), &f, nil)
}
