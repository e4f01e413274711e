package outboxtest

import (
	"fmt"

	"github.com/relaybox/relaybox/outbox"
)

// CheckOrder verifies what the broker saw: for every key the first copies are 1, 2,
// 3 … without gaps, and every copy of an event is the same event. It returns the
// highest Seq per key, or the first broken promise.
func CheckOrder(log []outbox.Event) (map[string]int64, error) {
	reached := map[string]int64{}
	ids := map[string]outbox.Event{}
	for _, e := range log {
		if e.Seq > reached[e.Key]+1 {
			return nil, fmt.Errorf("key %q: event %d reached the broker before event %d", e.Key, e.Seq, reached[e.Key]+1)
		}
		reached[e.Key] = max(reached[e.Key], e.Seq)
		if first, ok := ids[e.ID]; ok && (first.Key != e.Key || first.Seq != e.Seq || string(first.Envelope) != string(e.Envelope)) {
			return nil, fmt.Errorf("id %q stands for %q/%d and %q/%d", e.ID, first.Key, first.Seq, e.Key, e.Seq)
		}
		ids[e.ID] = e
	}
	return reached, nil
}

// CheckDelivered verifies that every event of every key in s was accepted by p, in
// order, and that nothing is left to send.
func CheckDelivered(s *MemStore, p *MemPublisher) error {
	reached, err := CheckOrder(p.Log())
	if err != nil {
		return err
	}
	for _, key := range s.Keys() {
		if left := s.Events(key); len(left) > 0 {
			return fmt.Errorf("key %q: %d events are left, the first is %d", key, len(left), left[0].Seq)
		}
		s.mu.Lock()
		want := s.partitions[key].entity.LastSeq
		s.mu.Unlock()
		if reached[key] != want {
			return fmt.Errorf("key %q: the entity counts %d events, the broker got %d", key, want, reached[key])
		}
	}
	return nil
}
