package broker

import (
	"github.com/relaybox/relaybox/local/minibus/internal/clock"
)

// history remembers the message ids of an entity with duplicate detection for as long as the window is. Broker.mu
// guards it. It does not matter what has become of the messages.
type history struct {
	until map[string]int64
	order []remembered // oldest first
	alarm clock.Alarm
}

type remembered struct {
	id    string
	until int64
}

// remember notes an id and reports whether it is new.
func (e *Entity) remember(id string, now int64) bool {
	h := &e.history
	if until, ok := h.until[id]; ok && until > now {
		return false
	}
	until := now + e.Settings.Duplicates.Milliseconds()
	e.recall(id, until)
	e.storeHistory(id, until)
	return true
}

// recall puts an id into memory.
func (e *Entity) recall(id string, until int64) {
	h := &e.history
	h.until[id] = until
	h.order = append(h.order, remembered{id, until})
	if !h.alarm.IsSet() {
		e.b.clock.Set(&h.alarm, h.order[0].until)
	}
}

// Ring implements clock.Ringer: the oldest ids leave the window.
func (e *Entity) Ring(now int64) {
	h := &e.history
	n := 0
	for ; n < len(h.order) && h.order[n].until <= now; n++ {
		old := h.order[n]
		if h.until[old.id] == old.until { // it has not been remembered anew
			delete(h.until, old.id)
			e.forgetHistory(old.id)
		}
	}
	h.order = append([]remembered(nil), h.order[n:]...)
	if len(h.order) > 0 {
		// At most some ten purges per window: each copies what is left.
		e.b.clock.Set(&h.alarm, max(h.order[0].until, now+e.Settings.Duplicates.Milliseconds()/16))
	}
}
