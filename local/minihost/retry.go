package minihost

import (
	"time"
)

// retryPolicy is "retry" of function.json; the zero value retries nothing. The
// real host supports it for timers among the triggers here.
type retryPolicy struct {
	max      int // -1: for ever
	min, cap time.Duration
	growing  bool
}

// delay is the pause before retry n+1.
func (p retryPolicy) delay(n int) time.Duration {
	if !p.growing {
		return p.min
	}
	d := p.min << min(n, 30)
	if d > p.cap || d < p.min {
		return p.cap
	}
	return d
}

func readRetry(r *reader) retryPolicy {
	switch strategy := r.text("retry", "strategy"); strategy {
	case "":
		return retryPolicy{}
	case "fixedDelay":
		d := r.span(0, "retry", "delayInterval")
		return retryPolicy{max: r.number(0, "retry", "maxRetryCount"), min: d, cap: d}
	case "exponentialBackoff":
		return retryPolicy{max: r.number(0, "retry", "maxRetryCount"), growing: true,
			min: r.span(time.Second, "retry", "minimumInterval"), cap: r.span(time.Minute, "retry", "maximumInterval")}
	default:
		r.fault([]string{"retry", "strategy"}, "is %q; write fixedDelay or exponentialBackoff", strategy)
		return retryPolicy{}
	}
}
