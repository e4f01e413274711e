package jetstream

import "sync"

const (
	// leastRefusals is how often one process must have refused a message, at least, before it makes a
	// dead letter of it: deliveries count what may pass, too, and the server knows no difference.
	leastRefusals = 10
	// maxRefused bounds the memory of a refusals, in messages of each half. It is more than the server
	// gives out without an acknowledgement by default, 1,000.
	maxRefused = 8192
)

// refusals are how often this process has refused messages, by their sequence. Of more than it holds it
// forgets those that were not refused for the longest: they begin anew.
type refusals struct {
	mu       sync.Mutex
	now, old map[uint64]int // guarded by mu
}

// of is how often the message was refused.
func (r *refusals) of(sequence uint64) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now[sequence] + r.old[sequence]
}

// add is one more.
func (r *refusals) add(sequence uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.now[sequence] + r.old[sequence] + 1
	if delete(r.old, sequence); r.now == nil || len(r.now) >= maxRefused {
		r.now, r.old = map[uint64]int{}, r.now
		delete(r.old, sequence)
	}
	r.now[sequence] = n
}

// forget is for a message that has its effect, or its dead letter.
func (r *refusals) forget(sequence uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.now, sequence)
	delete(r.old, sequence)
}

// counted is what a refusal of the delivery counts against a message that this process has refused so
// often before: the number of the refusal while that is below the least, then that of the delivery.
func counted(delivery, refused, most int) int {
	if n := refused + 1; n < min(most, leastRefusals) {
		return min(n, delivery)
	}
	return delivery
}
