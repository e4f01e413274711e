package minibus

import "time"

// now is the broker's time, in Unix milliseconds: the real one, and what tests have skipped. Tokens live by the real one:
// it is their makers'.
func (b *broker) now() int64 { return time.Now().UnixMilli() + b.ahead.Load() }

// Advance moves the broker's clock forward, for tests: what ends within d - locks, lives, schedules, waits, the windows
// of duplicate detection - has ended when it returns, in order, and durably. The clock is right again after a restart.
func (s *Server) Advance(d time.Duration) error {
	b := s.broker
	b.mu.Lock()
	to := b.now() + d.Milliseconds()
	for len(b.alarms.heap) > 0 && b.alarms.heap[0].at <= to {
		b.ahead.Add(max(b.alarms.heap[0].at-b.now(), 0))
		b.alarms.ring(b.now())
	}
	b.ahead.Add(max(to-b.now(), 0))
	b.alarms.hurry()
	b.mu.Unlock()
	return b.Durable(b.Position())
}
