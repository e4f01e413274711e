package outbox

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

const (
	// alikeKeys is how many keys in a row must be refused with the same condition until it
	// is the destination that refuses. Fewer wait each for themselves and hold up nobody.
	alikeKeys = 3
	// maxSuspects bounds what a process remembers; who is forgotten begins anew.
	maxSuspects = 10_000
	// proofs is how many refusals at least stand before an event is parked: between the
	// first and the last something else must have got through.
	proofs = 2
)

// suspectPause is how long a key waits whose event was refused.
var suspectPause = pace.Backoff{First: 500 * time.Millisecond, Max: 15 * time.Second}

// refusals are the events that the broker refused for what they are, as far as this
// process knows. One refusal can't tell whether the message is to blame or the
// destination, which may refuse everything. So a refusal counts against the message only
// if something else got through since the one before: the destination took it, and then
// refused this event once more. And the same refusal of several keys, with nothing that got
// through between, counts against nobody.
//
// clock numbers what happens, so that "since" doesn't hang on how fine time is. The hot
// path takes no lock while nothing is refused.
type refusals struct {
	clock atomic.Uint64
	took  atomic.Uint64 // the newest send that got through, by when it began
	heard atomic.Uint64 // and by when that was known
	count atomic.Int64  // of suspects

	jitter func(time.Duration) time.Duration

	mu       sync.Mutex
	suspects map[string]*suspect // by key
	alike    alike
}

// suspect is the event of a key that was refused, and waits.
type suspect struct {
	id       string
	tries    int    // refusals
	attempts int    // refusals that count
	at       uint64 // the newest one, by clock
	next     time.Time
}

// alike are the keys that were refused one after another with the same condition.
type alike struct {
	condition string
	since     uint64 // first refusal, by clock
	keys      map[string]struct{}
}

// begin numbers a send of key. proof says that something else has got through since the
// key's event was refused.
func (r *refusals) begin(key string) (send uint64, proof bool) {
	send = r.clock.Add(1)
	if r.count.Load() == 0 {
		return send, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.suspects[key]
	return send, s != nil && r.took.Load() > s.at
}

// through notes that a send of key got through, at least in part.
func (r *refusals) through(key string, send uint64) {
	for now := r.took.Load(); send > now && !r.took.CompareAndSwap(now, send); {
		now = r.took.Load()
	}
	r.heard.Store(r.clock.Add(1))
	r.forget(key)
}

// forget ends the suspicion against key.
func (r *refusals) forget(key string) {
	if r.count.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.suspects, key)
	r.count.Store(int64(len(r.suspects)))
}

// only ends the suspicion against key unless the suspect is still the first to go: another
// process may have sent it, or parked it.
func (r *refusals) only(key string, ready []Event) {
	if r.count.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.suspects[key]; s != nil && (len(ready) == 0 || ready[0].ID != s.id) {
		delete(r.suspects, key)
		r.count.Store(int64(len(r.suspects)))
	}
}

// refused notes a refusal of e. attempt is how many count against it, this one included;
// 0 when it is the destination that refuses.
func (r *refusals) refused(e Event, condition string, proof bool) (attempt int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.suspect(e)
	s.tries++
	s.at = r.clock.Add(1)
	s.next = time.Now().Add(suspectPause.WaitBy(r.jitter, s.tries, 0))
	switch {
	case proof:
		s.attempts++
	case r.wide(e.Key, condition, s.at):
		return 0
	case s.attempts == 0:
		s.attempts = 1
	}
	return s.attempts
}

// wide says whether the refusals since something got through are the destination's.
func (r *refusals) wide(key, condition string, at uint64) bool {
	if condition == "" {
		return false // nothing to compare
	}
	if r.alike.condition != condition || r.heard.Load() > r.alike.since {
		r.alike = alike{condition: condition, since: at, keys: map[string]struct{}{}}
	}
	if len(r.alike.keys) < alikeKeys {
		r.alike.keys[key] = struct{}{}
	}
	return len(r.alike.keys) >= alikeKeys
}

// postpone makes e's key wait.
func (r *refusals) postpone(e Event, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.suspect(e).next = time.Now().Add(wait)
}

func (r *refusals) suspect(e Event) *suspect {
	s := r.suspects[e.Key]
	if s != nil && s.id == e.ID {
		return s
	}
	if r.suspects == nil {
		r.suspects = map[string]*suspect{}
	}
	if s == nil && len(r.suspects) >= maxSuspects {
		for key := range r.suspects {
			delete(r.suspects, key)
			break
		}
	}
	s = &suspect{id: e.ID}
	r.suspects[e.Key] = s
	r.count.Store(int64(len(r.suspects)))
	return s
}

// wait says how long key is left alone.
func (r *refusals) wait(key string) time.Duration {
	wait, _ := r.of(key)
	return wait
}

// of says how long key is left alone, and whether nothing is known against it.
func (r *refusals) of(key string) (wait time.Duration, clean bool) {
	if r.count.Load() == 0 {
		return 0, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.suspects[key]
	if s == nil {
		return 0, true
	}
	return max(0, time.Until(s.next)), false
}

// release ends all waits: the destination takes events again.
func (r *refusals) release() {
	if r.count.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.suspects {
		s.next = time.Time{}
	}
}
