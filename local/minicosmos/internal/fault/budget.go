package fault

import (
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// bucket is what a physical range has left of its request units; below zero it owes some.
type bucket struct {
	left float64
	at   time.Time
}

// Admit refuses a request to a range that has nothing left. rate is what each has in a second unless the fault says it.
func (f *Armed) Admit(ranges []*layout.Physical, rate float64) *refusal.Error {
	if f.RequestUnits > 0 {
		rate = f.RequestUnits
	}
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	now := time.Now()
	for _, p := range ranges {
		b := f.buckets[p]
		if b == nil {
			b = &bucket{left: rate, at: now}
			f.buckets[p] = b
		}
		b.left = min(rate, b.left+rate*now.Sub(b.at).Seconds())
		if b.at = now; b.left <= 0 {
			f.fired++
			return refusal.Throttled(time.Duration(-b.left / rate * float64(time.Second)))
		}
	}
	return nil
}

// Spend takes what a request has cost, in equal shares.
func (f *Armed) Spend(ranges []*layout.Physical, charge float64) {
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	for _, p := range ranges {
		if b := f.buckets[p]; b != nil {
			b.left -= charge / float64(len(ranges))
		}
	}
}
