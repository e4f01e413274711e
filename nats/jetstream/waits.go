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

// under returns ctx until the subject is refused, or done is called.
func (w *waits) under(ctx context.Context, subject string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	n := w.next
	if w.all == nil {
		w.all = map[string]map[int]context.CancelCauseFunc{}
	}
	if w.all[subject] == nil {
		w.all[subject] = map[int]context.CancelCauseFunc{}
	}
	w.all[subject][n] = cancel
	return ctx, func() {
		cancel(nil)
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.all[subject], n); len(w.all[subject]) == 0 {
			delete(w.all, subject)
		}
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
