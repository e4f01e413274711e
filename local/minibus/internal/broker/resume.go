package broker

import "slices"

// resume puts restored messages back to work: alarms, ready heaps, sessions, the history in order of time.
func (b *Broker) resume() {
	for _, e := range b.entities {
		e.resumeHistory()
		var due []*message
		for m := range e.log.all(0) {
			due = append(due, m)
			e.last = max(e.last, m.seq)
		}
		for _, m := range due {
			switch m.state {
			case Scheduled:
				b.clock.Set(&m.alarm, m.due)
			case Active:
				e.offer(m)
			}
		}
	}
}

func (e *Entity) resumeHistory() {
	old := e.history.order
	e.history.order = nil
	slices.SortFunc(old, func(a, b remembered) int { return int(min(max(a.until-b.until, -1), 1)) })
	for _, r := range old {
		e.recall(r.id, r.until)
	}
}
