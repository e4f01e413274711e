package explore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// Fault is something that a case may allow.
type Fault string

// The faults.
const (
	// Fail: a call fails, and did nothing.
	Fail Fault = "fails"
	// Lost: a call's answer is lost. What it asked for happens at any later moment, or never.
	Lost Fault = "answer lost"
	// Stale: a read shows an older state of the partition.
	Stale Fault = "stale"
	// Crash: a process ends where it is. A change that it has just asked for may still happen.
	Crash Fault = "crashes"
	// Cut: a caller gives up, or its deadline ends.
	Cut Fault = "is cut"
	// Unlock: a session's lock is lost.
	Unlock Fault = "loses its lock"
)

type digest [16]byte

func (d digest) with(parts ...string) digest {
	h := sha256.New()
	h.Write(d[:])
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	copy(d[:], sum[:])
	return d
}

// World is one run of a case: processes, what they share, and what may still go wrong.
// Its explorer owns it; mu guards what a process touches when it calls a port.
type World struct {
	Store *Store
	Bus   *Bus
	Views *Views
	// Jumps: a read of a writer may show an older state than the one before did. The session
	// tokens of the production store rule that out.
	Jumps bool

	c      Case
	left   map[Fault]int
	total  int
	procs  []*Proc
	late   []arrival
	names  map[string]string // ids that were drawn → what they are called
	began  time.Time
	steps  int
	ops    []*Op
	breach error
	told   func(line string)
	wg     sync.WaitGroup

	mu    sync.Mutex
	calls []*call
	phase phase
}

type phase int

const (
	exploring phase = iota
	draining        // calls are carried out at once
	over            // calls fail at once
)

// Proc is a process: what has its memory in common and dies together.
type Proc struct {
	w       *World
	kind    string
	name    string
	chain   digest
	dead    bool
	clock   bool
	threads []*thread
	ctx     context.Context
	drawn   int
	// floor is the oldest state of the store's partition that a read of p may still show.
	floor int
}

// thread is one caller inside a process.
type thread struct {
	p          *Proc
	name       string
	cancel     context.CancelCauseFunc
	begun, cut bool
	done       bool // guarded by World.mu
}

// arrival is a request that its caller does not wait for any longer.
type arrival struct {
	who, what string
	do        func() (result, string)
}

// result is what a call returns.
type result struct {
	value any
	err   error
}

// outcome is one way in which a call can end. do changes the world, and says what the
// caller sees.
type outcome struct {
	name  string
	fault Fault
	do    func() (result, string)
}

// call waits for the explorer.
type call struct {
	p        *Proc
	ctx      context.Context
	label    string
	outcomes func() []outcome
	// cut is the outcome once the caller's context has ended.
	cut outcome
	// late is what may still happen when the caller dies here, nil for nothing.
	late   func() (result, string)
	answer chan result
}

// step names something that can be next, the same on every path that comes to a state.
type step struct {
	who   string // the process
	what  string // the call, or the thread
	fault Fault
	name  string // the outcome
}

const late = "arrives late"

// String is the step as transcripts have it.
func (s step) String() string {
	text := s.who
	for _, part := range []string{s.what, string(s.fault), s.name} {
		if part != "" {
			text += " " + part
		}
	}
	return text
}

func (s step) compare(o step) int {
	return cmp.Or(cmp.Compare(s.who, o.who), cmp.Compare(s.what, o.what), cmp.Compare(s.fault, o.fault), cmp.Compare(s.name, o.name))
}

// choice is a step that can be taken now.
type choice struct {
	step
	must bool // nothing is over before it has happened, or something else in its place
	act  func() string
}

var (
	errCut  = errors.New("the caller has given up")
	errOver = errors.New("the path is over")
	// errSlow ends a path: so few failures must not make anybody wait for so long.
	errSlow = fmt.Errorf("somebody has slept, in turns, for more than %s", limit)
)

func newWorld(c Case) *World {
	w := &World{c: c, left: map[Fault]int{}, total: c.Total, names: map[string]string{}, began: time.Now()}
	for f, n := range c.Faults {
		w.left[f] = n
	}
	w.Store, w.Bus, w.Views = newStore(w), newBus(w), newViews(w)
	c.Setup(w)
	synctest.Wait()
	return w
}

// close ends all that is left of the path.
func (w *World) close() {
	w.mu.Lock()
	w.phase = over
	for _, c := range w.calls {
		c.answer <- result{err: errOver}
	}
	w.calls = nil
	w.mu.Unlock()
	for _, p := range w.procs {
		for _, t := range p.threads {
			t.cancel(errOver)
		}
	}
	w.wg.Wait()
}

// Proc adds a process. Those of one kind do the same, and draw no ids.
func (w *World) Proc(kind, name string) *Proc {
	p := &Proc{w: w, kind: kind, name: name}
	p.ctx = pace.With(context.Background(), p.sleep)
	w.procs = append(w.procs, p)
	return p
}

// Run lets the process do something, from the start of the path on.
func (p *Proc) Run(name string, do func(ctx context.Context)) {
	ctx, cancel := context.WithCancelCause(p.ctx)
	t := &thread{p: p, name: name, cancel: cancel, begun: true}
	p.start(t, func() { do(ctx) })
}

// Call lets the process do something from a moment on that the explorer chooses.
func (p *Proc) Call(name string, do func(ctx context.Context)) {
	ctx, cancel := context.WithCancelCause(p.ctx)
	t := &thread{p: p, name: name, cancel: cancel}
	p.start(t, func() {
		begun := p.ask(ctx, call{label: "begin " + name, outcomes: func() []outcome {
			return []outcome{{do: func() (result, string) { t.begun = true; return result{}, "" }}}
		}})
		if begun.err == nil { // else the path was over before
			do(ctx)
		}
	})
}

func (p *Proc) start(t *thread, do func()) {
	p.threads = append(p.threads, t)
	p.w.wg.Go(func() {
		do()
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		t.done = true
	})
}

// ask is a call of a port: it stops until the explorer lets it go on.
func (p *Proc) ask(ctx context.Context, c call) result {
	if err := context.Cause(ctx); err != nil && c.cut.do != nil {
		return result{err: &expired{c.label, err}} // never sent
	}
	w := p.w
	w.mu.Lock()
	switch w.phase {
	case over:
		w.mu.Unlock()
		return result{err: errOver}
	case draining:
		defer w.mu.Unlock()
		for _, o := range c.outcomes() {
			if o.fault == "" {
				r, _ := o.do()
				return r
			}
		}
		return result{err: errOver}
	}
	c.p, c.ctx, c.answer = p, ctx, make(chan result, 1)
	w.calls = append(w.calls, &c)
	w.mu.Unlock()
	return <-c.answer
}

// expired is the error of a call whose context was over before it was sent.
type expired struct {
	label string
	err   error
}

func (e *expired) Error() string { return e.label + ": " + e.err.Error() }
func (e *expired) Unwrap() error { return e.err }

// sleep is pace.Sleep under the explorer: whoever sleeps may wake up next, and the clock
// then is at the first whole second at which it can.
func (p *Proc) sleep(ctx context.Context, d time.Duration) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	p.w.mu.Lock()
	draining := p.w.phase == draining
	p.w.mu.Unlock()
	if draining {
		time.Sleep(d)
		return nil
	}
	due := time.Now().Add(d)
	return p.ask(ctx, call{
		label: "sleep",
		outcomes: func() []outcome {
			return []outcome{{do: func() (result, string) { p.w.tick(due); return result{}, "" }}}
		},
		cut: outcome{do: func() (result, string) { return result{err: context.Cause(ctx)}, "" }},
	}).err
}

// limit is less than the shortest time limit that the protocol sets by itself: no path
// may come to it.
const limit = 9 * time.Second

// tick moves the clock to the whole second behind due.
func (w *World) tick(due time.Time) {
	if d := due.Sub(w.began).Truncate(time.Second) + time.Second - time.Since(w.began); d > 0 {
		time.Sleep(d)
	}
	if time.Since(w.began) > limit {
		w.fail(errSlow)
	}
}

// Fail notes a broken promise.
func (w *World) fail(err error) {
	if w.breach == nil {
		w.breach = err
	}
}

// may says whether the path still has this fault to spare.
func (w *World) may(f Fault) bool { return f == "" || w.left[f] > 0 && w.total > 0 }

// choices is everything that can be next, in an order that depends on the state alone.
func (w *World) choices() []choice {
	var all []choice
	for _, c := range w.calls {
		for _, o := range c.open() {
			if w.may(o.fault) {
				all = append(all, w.grant(c, o))
			}
		}
	}
	for i := range w.late {
		all = append(all, w.arrive(i))
	}
	all = append(all, w.blows()...)
	slices.SortStableFunc(all, func(a, b choice) int { return a.compare(b.step) })
	return all
}

// find is the choice of that step, among less than all.
func (w *World) find(s step) (choice, bool) {
	for _, c := range w.calls {
		if c.p.name != s.who || c.label != s.what {
			continue
		}
		for _, o := range c.open() {
			if o.fault == s.fault && o.name == s.name {
				return w.grant(c, o), true
			}
		}
	}
	all := w.choices()
	if i := slices.IndexFunc(all, func(c choice) bool { return c.step == s }); i >= 0 {
		return all[i], true
	}
	return choice{}, false
}

func (c *call) open() []outcome {
	if c.p.dead {
		return nil
	}
	if c.ctx.Err() != nil && c.cut.do != nil {
		return []outcome{c.cut}
	}
	return c.outcomes()
}

// grant lets a call end in an outcome.
func (w *World) grant(c *call, o outcome) choice {
	return choice{step: step{c.p.name, c.label, o.fault, o.name}, must: o.fault == "", act: func() string {
		w.spend(o.fault)
		w.calls = slices.DeleteFunc(w.calls, func(other *call) bool { return other == c })
		r, seen := o.do()
		c.p.hears(c.label, string(o.fault), o.name, seen)
		c.answer <- r
		return seen
	}}
}

func (w *World) arrive(i int) choice {
	a := w.late[i]
	return choice{step: step{who: a.who, what: a.what, name: late}, act: func() string {
		w.late = slices.Delete(w.late, i, i+1)
		_, seen := a.do()
		return seen
	}}
}

func (p *Proc) hears(what ...string) {
	p.chain = p.chain.with(what...)
	if p.clock {
		p.chain = p.chain.with(time.Since(p.w.began).Truncate(time.Second).String())
	}
}

func (w *World) spend(f Fault) {
	if f != "" {
		w.left[f]--
		w.total--
	}
}

// blows are the faults that meet a process and not a call.
func (w *World) blows() []choice {
	var all []choice
	if w.may(Unlock) {
		for _, at := range w.Bus.unlock() {
			all = append(all, choice{step: step{who: w.Bus.held[at].owner.name, what: fmt.Sprint("message ", at), fault: Unlock}, act: func() string {
				w.spend(Unlock)
				delete(w.Bus.held, at)
				return ""
			}})
		}
	}
	for _, p := range w.procs {
		if p.dead {
			continue
		}
		if w.may(Crash) && p.changing() {
			all = append(all, choice{step: step{who: p.name, fault: Crash}, act: func() string { w.spend(Crash); p.die(); return "" }})
		}
		if !w.may(Cut) {
			continue
		}
		for _, t := range p.threads {
			if t.begun && !t.done && !t.cut {
				all = append(all, choice{step: step{who: p.name, what: t.name, fault: Cut}, act: func() string {
					w.spend(Cut)
					t.cut = true
					p.hears(t.name, string(Cut))
					t.cancel(errCut)
					return ""
				}})
			}
		}
	}
	return all
}

// changing says whether p has asked for a change. To die elsewhere is the same for everybody
// else as to die at the next change that p would have asked for, before it happens.
func (p *Proc) changing() bool {
	return slices.ContainsFunc(p.w.calls, func(c *call) bool { return c.p == p && c.late != nil })
}

// die ends a process: its calls never return, and what it had asked for may still happen.
func (p *Proc) die() {
	p.dead, p.chain = true, digest{}.with("dead")
	for _, c := range p.w.calls {
		if c.p == p && c.late != nil {
			p.w.late = append(p.w.late, arrival{p.name, c.label, c.late})
		}
	}
	p.w.Bus.gone(p)
}

// take carries a choice out and waits until all stands still.
func (w *World) take(c choice) {
	w.steps++
	seen := c.act()
	if w.told != nil {
		w.told(strings.TrimSpace(c.String() + "  " + seen))
	}
	synctest.Wait()
}

// follow takes the choice of that step.
func (w *World) follow(s step) error {
	c, ok := w.find(s)
	if !ok {
		return fmt.Errorf("explorer: the path can't be repeated: no %q among %v", s, w.choices())
	}
	w.take(c)
	return w.breach
}

// end lets everything drain and asks the case.
func (w *World) end() error {
	w.mu.Lock()
	w.phase = draining
	w.mu.Unlock()
	err := w.c.End(w)
	return cmp.Or(w.breach, err)
}

// digest is the state.
func (w *World) digest() digest {
	procs, late := make([]string, len(w.procs)), make([]string, len(w.late))
	for i, p := range w.procs {
		procs[i] = p.kind + string(p.chain[:])
		for _, at := range w.Bus.unlock() {
			if w.Bus.held[at].owner == p {
				procs[i] += fmt.Sprint(" has ", at)
			}
		}
		if w.may(Stale) {
			procs[i] += fmt.Sprint(p.floor)
		}
	}
	for i, a := range w.late {
		late[i] = a.what
	}
	slices.Sort(procs) // those of one kind are as good as each other
	slices.Sort(late)
	d := digest{}.with(procs...).with(late...)
	for _, o := range w.ops {
		d = d.with(fmt.Sprint(o.begun, o.ended, o.before))
	}
	spare := fmt.Sprint(w.total)
	for _, f := range []Fault{Fail, Lost, Stale, Crash, Cut, Unlock} {
		spare += fmt.Sprint(" ", w.left[f])
	}
	return d.with(spare, w.Store.text(w.may(Stale)), w.Bus.text(), w.Views.text(w.may(Stale)))
}

// Named calls an id that was drawn at random by the process that showed it first.
func (p *Proc) named(id string) string {
	if id == "" {
		return ""
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	name, ok := p.w.names[id]
	if !ok {
		p.drawn++
		name = fmt.Sprintf("%s#%d", p.name, p.drawn)
		p.w.names[id] = name
	}
	return name
}

// change is a call that changes something.
func (p *Proc) change(ctx context.Context, label string, do func() (result, string), fails, lost error) result {
	loses := func() (result, string) {
		p.w.late = append(p.w.late, arrival{p.name, label, do})
		return result{err: lost}, ""
	}
	return p.ask(ctx, call{
		label: label, late: do,
		outcomes: func() []outcome {
			return []outcome{
				{do: do},
				{fault: Fail, do: func() (result, string) { return result{err: fails}, "" }},
				{fault: Lost, do: loses},
			}
		},
		cut: outcome{name: "given up", do: loses},
	})
}
