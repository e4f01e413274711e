package servicebus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"golang.org/x/sync/errgroup"
)

const (
	// takePage is how many letters are locked at a time, and takeTime how long one waits for them.
	takePage = 100
	takeTime = 3 * time.Second
	// keysAtOnce are redriven side by side.
	keysAtOnce = 16
	// lettingGo bounds giving them back, and quiet is how long nothing comes any more before.
	lettingGo = 10 * time.Second
	quiet     = 200 * time.Millisecond
)

// Outcome is what became of a letter.
type Outcome string

// The outcomes.
const (
	// Redriven: the topic has confirmed its copy, and it has left the queue.
	Redriven Outcome = "redriven"
	// Doubled: the topic has confirmed its copy, but it is still in the queue. Redrive it again.
	Doubled Outcome = "doubled"
	// Dropped: it has left the queue.
	Dropped Outcome = "dropped"
	// Gone: it was not in the queue any more.
	Gone Outcome = "gone"
	// Failed: it is where it was.
	Failed Outcome = "failed"
	// Left: it is where it was, and nothing was tried, because an earlier one of its key failed or
	// the run ended.
	Left Outcome = "left"
)

// Act is what was done to one letter.
type Act struct {
	Letter  Planned
	Outcome Outcome
	SentAs  string // message id of the copy, if one may have been sent
	Err     error  // of Failed and Doubled
}

var (
	errElsewhere = errors.New("somebody else has locked the letters that are left: run it again when their locks have ended")
	errCrowded   = errors.New("too many letters that were not chosen lie in front of those that are left: drop or redrive those first")
)

// Redrive sends the planned letters back to the topic, each key in order, and removes each from
// the queue when its copy is confirmed. Each letter is told once. An error says why the run ended
// before all were tried; a run that is repeated goes on.
func (d *DeadLetters) Redrive(ctx context.Context, p Plan, tell func(Act)) error {
	return d.work(ctx, "redrive", p, tell, func(ctx context.Context, l *taken, complete func(context.Context) error) (Act, error) {
		act := Act{Letter: l.Planned, Outcome: Redriven}
		copied, err := d.copyOf(l.message)
		if err != nil {
			act.Outcome, act.Err = Failed, err
			return act, nil
		}
		act.SentAs = *copied.MessageID
		if !l.sent {
			if err := d.send(ctx, copied); err != nil {
				act.Outcome, act.Err = Failed, fmt.Errorf("send to %s: %w", d.topic, err)
				return act, ending(ctx, err)
			}
			l.sent = true
		}
		if err := complete(ctx); err != nil {
			act.Outcome, act.Err = Doubled, err
			return act, ending(ctx, err)
		}
		return act, nil
	})
}

// Drop removes the planned letters for good.
func (d *DeadLetters) Drop(ctx context.Context, p Plan, tell func(Act)) error {
	return d.work(ctx, "drop", p, tell, func(ctx context.Context, l *taken, complete func(context.Context) error) (Act, error) {
		act := Act{Letter: l.Planned, Outcome: Dropped}
		if err := complete(ctx); err != nil {
			act.Outcome, act.Err = Failed, err
			return act, ending(ctx, err)
		}
		return act, nil
	})
}

func (d *DeadLetters) send(ctx context.Context, m *azservicebus.Message) error {
	ctx, cancel := context.WithTimeout(ctx, d.opts.SendTimeout)
	defer cancel()
	return d.sender.SendMessage(ctx, m, nil)
}

// ending is err if it says nothing about the letter, so that others would meet it, too.
func ending(ctx context.Context, err error) error {
	if lockLost(err) || diagnose(ctx, err, sending).class.Permanent() {
		return nil
	}
	return err
}

func lockLost(err error) bool {
	e, ok := errors.AsType[*azservicebus.Error](err)
	return ok && e.Code == azservicebus.CodeLockLost
}

// taken is a planned letter on its way.
type taken struct {
	Planned
	message *azservicebus.ReceivedMessage // nil: not locked by us
	sent    bool
	done    bool
}

// run is one pass over the queue. The goroutine that receives owns it; while keys are worked on,
// each key's goroutine owns the letters of that key.
type run struct {
	d     *DeadLetters
	locks *azservicebus.Receiver
	do    func(ctx context.Context, l *taken, complete func(context.Context) error) (Act, error)
	tell  func(Act)
	all   map[int64]*taken
	lines map[string][]*taken // by key, what is left of it, in order
	open  int                 // letters that nothing was told of

	// Locked, and not chosen, by number: a queue gives out what lies in front first, so to get at
	// a letter those before it must be locked. Their locks are all that is kept of them.
	others map[int64]other

	telling sync.Mutex // tell is called by one at a time; guards open too
}

type other struct {
	lock [16]byte
	seen int // what open was when it came
}

func (d *DeadLetters) work(ctx context.Context, did string, p Plan, tell func(Act), do func(context.Context, *taken, func(context.Context) error) (Act, error)) error {
	locks, err := d.receive()
	if err != nil {
		return d.failed(did, err)
	}
	r := &run{d: d, locks: locks, do: do, tell: tell, all: map[int64]*taken{}, lines: map[string][]*taken{}, open: len(p.Letters), others: map[int64]other{}}
	for _, l := range p.Letters {
		one := &taken{Planned: l}
		r.all[l.Number] = one
		line := r.line(l)
		r.lines[line] = append(r.lines[line], one)
	}
	err = r.pass(ctx)
	r.letGo(ctx)
	for _, l := range p.Letters {
		r.end(r.all[l.Number], Act{Letter: l, Outcome: Left})
	}
	if err != nil {
		return d.failed(did, err)
	}
	return nil
}

// line names whom a letter stands in line with. Without a key it stands alone.
func (r *run) line(l Planned) string {
	if l.Key == "" {
		return fmt.Sprint("\x00", l.Number)
	}
	return l.Key
}

// pass locks what lies in the queue, from its front, until all planned letters are done.
func (r *run) pass(ctx context.Context) error {
	waited := time.Time{} // since nothing of ours came
	for r.open > 0 {
		got, err := r.take(ctx)
		if err != nil {
			return err
		}
		ours, err := r.sort(got, waited.IsZero())
		if err != nil {
			return err
		}
		if len(ours) > 0 {
			waited = time.Time{}
			if err := r.forward(ctx, ours); err != nil {
				return err
			}
			continue
		}
		if len(got) > 0 {
			continue
		}
		if err := r.missing(ctx); err != nil {
			return err
		}
		switch {
		case r.open == 0:
		case waited.IsZero():
			waited = time.Now()
			r.d.opts.Notice(fmt.Sprintf("%d letters are locked by somebody else; waiting for their locks to end", r.open))
		case time.Since(waited) > r.d.opts.Patience:
			return errElsewhere
		}
	}
	return nil
}

// take locks some letters. None in time is no error.
func (r *run) take(ctx context.Context) ([]*azservicebus.ReceivedMessage, error) {
	short, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	got, err := r.locks.ReceiveMessages(short, takePage, nil)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	if err == nil && len(got) == 0 {
		<-short.Done() // a link that broke comes back empty-handed at once
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
		for _, m := range got { // to be let go
			r.others[value(m.SequenceNumber)] = other{lock: m.LockToken}
		}
	}
	return got, err
}

// sort keeps what was locked, and returns the keys that something came for. moving says that the
// end of the queue was not reached yet.
func (r *run) sort(got []*azservicebus.ReceivedMessage, moving bool) (keys []string, err error) {
	for _, m := range got {
		number := value(m.SequenceNumber)
		if l := r.all[number]; l != nil && !l.done {
			l.message = m
			if line := r.line(l.Planned); !slices.Contains(keys, line) {
				keys = append(keys, line)
			}
			continue
		}
		before, again := r.others[number]
		r.others[number] = other{m.LockToken, r.open}
		if moving && again && before.seen == r.open {
			return nil, errCrowded // locks end before anything of ours is reached
		}
	}
	return keys, nil
}

// forward does what can be done: of each key, the letters at its head that are locked.
func (r *run) forward(ctx context.Context, keys []string) error {
	var group errgroup.Group
	group.SetLimit(keysAtOnce)
	left := make([][]*taken, len(keys))
	for i, key := range keys {
		line := r.lines[key]
		group.Go(func() (err error) {
			left[i], err = r.advance(ctx, line)
			return err
		})
	}
	err := group.Wait()
	for i, key := range keys {
		r.lines[key] = left[i]
	}
	return err
}

// advance works on a line until a letter of it is not there. An error ends the run.
func (r *run) advance(ctx context.Context, line []*taken) (left []*taken, err error) {
	for len(line) > 0 && (line[0].done || line[0].message != nil) {
		l := line[0]
		if l.done {
			line = line[1:]
			continue
		}
		if ctx.Err() != nil {
			return line, context.Cause(ctx)
		}
		act, err := r.do(context.WithoutCancel(ctx), l, func(ctx context.Context) error { return r.complete(ctx, l.message) }) // what has begun is brought to its end
		if lockLost(act.Err) {
			l.message = nil // it comes again, and what was sent is not sent again
			return line, nil
		}
		r.end(l, act)
		if err != nil {
			return line, err
		}
		line = line[1:]
		if act.Outcome == Failed && act.Letter.Seq > 0 {
			for _, behind := range line {
				r.end(behind, Act{Letter: behind.Planned, Outcome: Left})
			}
			return nil, nil
		}
	}
	return line, nil
}

// end tells what became of a letter, once.
func (r *run) end(l *taken, act Act) {
	if l.done {
		return
	}
	l.done = true
	if act.Outcome == Left && l.sent {
		act.Outcome = Doubled
	}
	switch act.Outcome {
	case Redriven, Dropped, Gone:
		l.message = nil
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.open--
	r.tell(act)
}

// missing looks for planned letters that are not in the queue any more, so that nobody waits
// for them.
func (r *run) missing(ctx context.Context) error {
	there := map[int64]bool{}
	err := r.d.Each(ctx, 0, func(l Letter) bool {
		if r.all[l.Number] != nil {
			there[l.Number] = true
		}
		return true
	})
	if err != nil {
		return err
	}
	var keys []string
	for number, l := range r.all {
		if l.done || there[number] {
			continue
		}
		// A removal whose answer was lost is one.
		r.end(l, Act{Letter: l.Planned, Outcome: map[bool]Outcome{true: Redriven, false: Gone}[l.sent]})
		if line := r.line(l.Planned); !slices.Contains(keys, line) {
			keys = append(keys, line)
		}
	}
	return r.forward(ctx, keys)
}

func (r *run) complete(ctx context.Context, m *azservicebus.ReceivedMessage) error {
	ctx, cancel := context.WithTimeout(ctx, r.d.opts.SendTimeout) // the SDK tries for longer on a dead link
	defer cancel()
	if err := r.locks.CompleteMessage(ctx, m, nil); err != nil {
		return fmt.Errorf("remove it: %w", err)
	}
	return nil
}

// letGo gives back what is locked and stays: its next receiver need not wait for the lock's end.
// The link has credit left, for which the broker would send at once what is given back, locked
// again. So it is used up first, and the link is closed before the others go back over another.
func (r *run) letGo(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lettingGo)
	defer cancel()
	for range takePage {
		short, cancel := context.WithTimeout(ctx, quiet)
		got, _ := r.locks.ReceiveMessages(short, 1, nil)
		cancel()
		if len(got) == 0 {
			break
		}
		r.others[value(got[0].SequenceNumber)] = other{lock: got[0].LockToken}
	}
	_ = r.locks.Close(ctx) // of no more use
	var group errgroup.Group
	group.SetLimit(keysAtOnce)
	back := func(lock [16]byte) { // which is all that it takes
		group.Go(func() error {
			return r.d.receiver.AbandonMessage(ctx, &azservicebus.ReceivedMessage{LockToken: lock}, nil)
		})
	}
	for _, o := range r.others {
		back(o.lock)
	}
	for _, l := range r.all {
		if l.message != nil {
			back(l.message.LockToken)
		}
	}
	_ = group.Wait() // a lock that cannot be given back ends by itself
}
