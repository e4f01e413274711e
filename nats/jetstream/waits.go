package jetstream

import (
	"context"
	"errors"
	"regexp"
	"sync"

	"github.com/nats-io/nats.go"
)

// waits are the sends on their way, by subject, that end before their time: when the server says
// on the connection, in answer to nobody, that the subject is not for this user, and when the
// connection is lost. The client tells neither to those who wait.
type waits struct {
	mu   sync.Mutex
	next int
	all  map[string]map[int]context.CancelCauseFunc // guarded by mu
}

// wait is one of them. It belongs to one goroutine.
type wait struct {
	of      *waits
	n       int
	subject string
	cancel  context.CancelCauseFunc
}

// under returns ctx until the subject is refused, or done is called.
func (w *waits) under(ctx context.Context, subject string) (_ context.Context, done func()) {
	ctx, one := w.begin(ctx)
	one.on(subject)
	return ctx, one.done
}

// begin returns ctx until the subject is refused that the wait is on, or its done is called. At first
// it is on none.
func (w *waits) begin(ctx context.Context) (context.Context, *wait) {
	ctx, cancel := context.WithCancelCause(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	one := &wait{of: w, n: w.next, cancel: cancel}
	w.put(one)
	return ctx, one
}

// on has it wait on a subject, in place of the one before.
func (o *wait) on(subject string) {
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	o.of.drop(o)
	o.subject = subject
	o.of.put(o)
}

func (o *wait) done() {
	o.cancel(nil)
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	o.of.drop(o)
}

// put and drop are for who holds mu.
func (w *waits) put(o *wait) {
	if w.all == nil {
		w.all = map[string]map[int]context.CancelCauseFunc{}
	}
	if w.all[o.subject] == nil {
		w.all[o.subject] = map[int]context.CancelCauseFunc{}
	}
	w.all[o.subject][o.n] = o.cancel
}

func (w *waits) drop(o *wait) {
	if delete(w.all[o.subject], o.n); len(w.all[o.subject]) == 0 {
		delete(w.all, o.subject)
	}
}

func (w *waits) refuse(subject string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, cancel := range w.all[subject] {
		cancel(errNoRight)
	}
}

// lose ends all. One that has begun on the next connection meanwhile is sent again, which does no harm.
func (w *waits) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, sends := range w.all {
		for _, cancel := range sends {
			cancel(errLost)
		}
	}
}

func (w *waits) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all)
}

var publishTo = regexp.MustCompile(`(?i)publish to "([^"]+)"`)

// refusedSubject is the subject that err says nobody may publish to.
func refusedSubject(err error) (string, bool) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return "", false
	}
	found := publishTo.FindStringSubmatch(err.Error())
	if found == nil {
		return "", false
	}
	return found[1], true
}
