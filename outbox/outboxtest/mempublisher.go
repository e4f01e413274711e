package outboxtest

import (
	"context"
	"slices"
	"sync"

	"github.com/relaybox/relaybox/outbox"
)

// MemPublisher is an outbox.Publisher that keeps what it is given. The zero value
// accepts everything.
type MemPublisher struct {
	// Fault is asked before each event; what it returns is that event's result. Nil
	// accepts. It may block on ctx.
	Fault func(ctx context.Context, e outbox.Event) error

	mu    sync.Mutex
	log   []outbox.Event
	calls int
}

// Publish implements outbox.Publisher.
func (p *MemPublisher) Publish(ctx context.Context, events []outbox.Event) []error {
	results := make([]error, len(events))
	failed := map[string]bool{}
	p.mu.Lock()
	p.calls++
	p.mu.Unlock()
	for i, e := range events {
		if failed[e.Key] {
			results[i] = outbox.ErrNotAttempted
			continue
		}
		if results[i] = p.take(ctx, e); results[i] != nil {
			failed[e.Key] = true
		}
	}
	return results
}

func (p *MemPublisher) take(ctx context.Context, e outbox.Event) error {
	if p.Fault != nil {
		if err := p.Fault(ctx, e); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, e)
	return nil
}

// Log returns every copy accepted so far, in the order of acceptance.
func (p *MemPublisher) Log() []outbox.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

// Seqs returns the Seqs accepted for key, copies included.
func (p *MemPublisher) Seqs(key string) []int64 {
	var seqs []int64
	for _, e := range p.Log() {
		if e.Key == key {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

// Calls returns how often Publish was called.
func (p *MemPublisher) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}
