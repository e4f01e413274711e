package timer

import "time"

// Retry is "retry" of function.json; the zero value retries nothing. The
// real host supports it for timers among the triggers here.
type Retry struct {
	Max      int // -1: for ever
	Min, Cap time.Duration
	Growing  bool
}

// Delay is the pause before retry n+1.
func (p Retry) Delay(n int) time.Duration {
	if !p.Growing {
		return p.Min
	}
	d := p.Min << min(n, 30)
	if d > p.Cap || d < p.Min {
		return p.Cap
	}
	return d
}
