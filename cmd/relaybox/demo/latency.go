package demo

import (
	"slices"
	"time"
)

// span is a stretch of the run.
type span struct{ from, to time.Time }

func (s span) holds(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// latencies are the times from the client's acknowledgement of a change to the moment
// at which the read model showed its last event: all, and those of changes that were
// acknowledged within calm. A consumer that is faster than the answer counts as 0.
func latencies(histories map[string]*history, w *watch, calm span) (all, within []time.Duration) {
	for key, h := range histories {
		for _, a := range h.acks {
			if int(a.version) >= len(h.lastSeq) {
				continue // the history broke off before it
			}
			at, ok := w.seenAt(key, h.lastSeq[a.version])
			if !ok {
				continue
			}
			took := max(0, at.Sub(a.at))
			all = append(all, took)
			if calm.holds(a.at) {
				within = append(within, took)
			}
		}
	}
	slices.Sort(all)
	slices.Sort(within)
	return all, within
}

// percentile of sorted values, by the nearest rank; 0 when there are none.
func percentile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*percent + 99) / 100
	return sorted[max(rank, 1)-1]
}
