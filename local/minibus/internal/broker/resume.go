package broker

import "slices"

// resume puts restored messages back to work: alarms, ready heaps, sessions, the history in order of time.
func (b *Broker) resume() {
	var stored []*message // and not what comes of them
	for _, e := range b.entities {
		e.resumeHistory()
		for m := range e.log.all(0) {
			stored = append(stored, m)
			e.last = max(e.last, m.seq)
		}
	}
	for _, e := range b.entities {
		if e.forward != nil {
			b.clock.Set(&e.feeding, b.Now()) // offer leaves the pumping to what is below: first all is in order
		}
	}
	for _, m := range stored {
		switch m.state {
		case Scheduled:
			b.clock.Set(&m.alarm, m.due)
		case Active:
			m.in.offer(m)
		case Deferred:
			m.in.lives(m)
		}
	}
	for _, e := range b.entities {
		if e.forward != nil {
			b.clock.Cancel(&e.feeding)
			e.pump()
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
