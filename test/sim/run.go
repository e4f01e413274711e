package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/relaybox/relaybox/outbox"
)

// Breach is a guarantee that did not hold.
type Breach struct {
	Guarantee string // as design and docs/reliability.md number them
	Detail    string
}

func (b Breach) String() string { return b.Guarantee + ": " + b.Detail }

// Report is what a run has shown.
type Report struct {
	Faults     []string
	Breaches   []Breach
	Transcript []string
	// Calls, Events and Copies were made; Took is how long the drain took.
	Calls, Events, Copies int
	Took                  time.Duration
	// Mixed: two versions of the app ran side by side. Sessions: the consumer took them.
	Mixed, Sessions bool
	// Reborn: the entities' container was replaced. Taken events were lost with it, Lost ones
	// were at the topic and had no effect, Superseded ones came to a consumer afterwards.
	Reborn                  bool
	Taken, Lost, Superseded int

	histories []keyed // for Judge
}

// drainTime is how long everything may take to arrive once the faults are over: a message
// is held for 40 s and locked for half a minute, the sweep comes once a minute, and each that
// nobody can read keeps its session for the minute and a half that its 100 deliveries take.
const drainTime = 12 * time.Minute

// stragglers is how long what was on its way when the faults ended may go on by itself: a
// request waits for 25 s at the most.
const stragglers = 40 * time.Second

// Run is one run. Its caller stands in a synctest bubble.
func Run(o Options) (Report, error) {
	w, err := open(o)
	if err != nil {
		return Report{}, err
	}
	ctx, stop := context.WithCancel(context.Background())
	w.make()
	for _, i := range w.instances {
		w.rest.Go(func() { i.run(ctx) })
	}
	if w.mixed {
		w.rest.Go(func() { w.watchViews(ctx) })
	}
	plan := w.plan()
	var report Report
	for _, f := range plan {
		report.Faults = append(report.Faults, f.String())
	}
	var work sync.WaitGroup
	ids := []string{"k0", "k1", "k2"}[:1+w.random.IntN(3)]
	calls := 4 + w.random.IntN(10)
	for n := range 3 + w.random.IntN(3) {
		work.Go(func() { w.client(n).run(ctx, ids, calls) })
	}
	work.Go(func() { w.buyer(20).run(ctx, ids, 1+calls/3) })
	w.play(plan)
	work.Wait()
	w.heal()
	time.Sleep(stragglers)
	w.moveIn()
	for _, key := range w.calls.Keys() {
		w.read(key)
	}
	breach := func(guarantee, format string, args ...any) {
		report.Breaches = append(report.Breaches, Breach{guarantee, fmt.Sprintf(format, args...)})
	}
	healed := time.Now()
	w.isolate(breach)
	rest := w.drain()
	report.Took = time.Since(healed)
	w.check(rest, &report, breach)
	stop()
	for _, i := range w.instances {
		i.killAll()
	}
	if err := w.close(); err != nil {
		report.Breaches = append(report.Breaches, Breach{"end", err.Error()})
	}
	report.Transcript = w.lines
	report.Mixed, report.Sessions = w.mixed, w.sessions
	report.Reborn, report.Superseded = w.reborn != nil, w.signals["superseded"]
	return report, nil
}

// make makes the instances: their timers differ, one has none, and so do their clocks.
func (w *world) make() {
	r := w.random
	schedules := []string{"*/5 * * * * *", "*/7 * * * * *", "0 * * * * *", "0 0 0 1 1 *"}
	w.mixed = w.newest.IntN(3) == 0 && !w.Calm
	if w.sessions {
		w.note("run", "the consumer takes sessions")
	}
	for n := range 2 + r.IntN(2) {
		own := map[string]string{"DISPATCH_SCHEDULE": schedules[r.IntN(len(schedules))]}
		if n == 0 {
			own["DISPATCH_SCHEDULE"] = schedules[r.IntN(3)]
		}
		if r.IntN(4) == 0 {
			own["RELAYBOX_FASTPATH_QUEUE"] = "1"
		}
		if r.IntN(4) == 0 {
			own["RELAYBOX_FASTPATH_BUDGET"] = "500ms"
		}
		i := &instance{w: w, name: fmt.Sprintf("i%d", n), settings: w.settingsOf(own), newer: w.mixed && n%2 == 1}
		if !w.Calm && r.IntN(3) == 0 {
			i.skew = pick(r, -5*time.Minute, -7*time.Second, 3*time.Second, 5*time.Minute)
		}
		w.note(i.name, "timer %q, clock %v off, of the newer version: %v", own["DISPATCH_SCHEDULE"], i.skew, i.newer)
		w.instances = append(w.instances, i)
	}
}

// play switches the faults on and off in their time.
func (w *world) play(plan []fault) {
	var all sync.WaitGroup
	start := time.Now()
	for _, f := range plan {
		all.Go(func() {
			time.Sleep(f.at - time.Since(start))
			w.note("fault", "%s", f.name)
			w.switched(f, true)
			if f.lasts > 0 {
				time.Sleep(f.lasts)
				w.note("fault", "over: %s", f.name)
				w.switched(f, false)
			}
		})
	}
	all.Wait()
}

func (w *world) switched(f fault, on bool) {
	switch {
	case f.store != nil, f.bus != nil:
		w.stores.Lock()
		defer w.stores.Unlock()
		w.inForce = replaced(w.inForce, f, on)
		w.reinject()
	case on:
		f.on(w)
	case f.off != nil:
		f.off(w)
	}
}

// reinject makes the stores' faults those in force. The caller holds w.stores.
func (w *world) reinject() {
	w.cosmos().ClearFaults()
	w.broker().ClearFaults()
	for _, g := range w.inForce {
		var err error
		if g.store != nil {
			err = w.cosmos().Inject(*g.store)
		} else {
			err = w.broker().Inject(*g.bus)
		}
		if err != nil {
			panic(fmt.Sprintf("%v: %v", g, err)) // the plan has drawn what cannot be
		}
	}
}

// replaced is the list of faults in force with f in it, or without.
func replaced(all []fault, f fault, on bool) []fault {
	var next []fault
	for _, g := range all {
		if g.store != f.store || g.bus != f.bus {
			next = append(next, g)
		}
	}
	if on {
		next = append(next, f)
	}
	return next
}

// heal ends all faults that are not over, and brings nobody back: that is the app's part.
func (w *world) heal() {
	w.mu.Lock()
	w.calm, w.births = true, nil
	w.mu.Unlock()
	for _, i := range w.instances {
		host, handler := i.nodes()
		for _, p := range []*node{host, handler} {
			if p != nil {
				p.heal()
			}
		}
	}
	w.note("fault", "all faults are over")
}

// drain waits until nothing is under way. It returns what still was when its time was up.
func (w *world) drain() string {
	end := time.Now().Add(drainTime)
	for {
		rest := w.underWay()
		if rest == "" || time.Now().After(end) {
			return rest
		}
		time.Sleep(time.Second)
	}
}

// underWay says what has not arrived.
func (w *world) underWay() string {
	if c := w.broker().Counts(viewsPath); c.Active > 0 { // first, because it costs nothing
		return fmt.Sprintf("%d messages are at the subscription, %d of them locked", c.Active, c.Locked)
	}
	stored, shown := w.documents(entities), w.documents(views)
	for key, docs := range stored {
		var entity, model numbered
		_ = json.Unmarshal(docs["entity"], &entity)
		_ = json.Unmarshal(shown[key]["model"], &model)
		last := entity.LastSeq
		if out := outboxOf(docs); len(out) > 0 {
			if last = out[0].Seq - 1; !out[0].poisonous() || !out[0].Parked() {
				return fmt.Sprintf("%s: event %d is in the outbox: %.300s", key, out[0].Seq, out[0].Envelope)
			}
		}
		// Poison at the beginning of a new life: nobody tells the consumer of that.
		unheard := w.rebirth() != nil && last < entity.Incarnation.First && model.LastSeq >= last
		if model.LastSeq != last && !unheard {
			return fmt.Sprintf("%s: the read model is at %d, what can be sent ends at %d", key, model.LastSeq, last)
		}
		if last >= entity.Incarnation.First && model.Incarnation.ID != entity.Incarnation.ID {
			return fmt.Sprintf("%s: the read model is in incarnation %v, the entity in %v", key, model.Incarnation, entity.Incarnation)
		}
	}
	return ""
}

type numbered struct {
	LastSeq int64           `json:"lastSeq"`
	Version int64           `json:"version"`
	Deleted bool            `json:"deleted"`
	Data    json.RawMessage `json:"data"`
	Gaps    int64           `json:"gaps"`

	Incarnation outbox.Incarnation `json:"incarnation"`
}
