package minibus

import (
	"container/heap"
	"time"
)

// alarm is one point in time at which something ends: a lock, a life, a wait, a schedule. Whoever has one embeds it;
// broker.mu guards it.
type alarm struct {
	at    int64  // Unix milliseconds
	turn  uint64 // alarms of one moment ring in the order in which they were set
	place int    // in alarms, or nowhere
	owner interface{ ring(now int64) }
}

// alarms is the broker's one timer heap.
type alarms struct {
	heap   alarmHeap
	turns  uint64
	sooner chan struct{} // there is a new first alarm
}

// set moves an alarm to a point in time.
func (a *alarms) set(al *alarm, at int64) {
	a.turns++
	al.at, al.turn = at, a.turns
	if al.place == nowhere {
		heap.Push(&a.heap, al)
	} else {
		heap.Fix(&a.heap, al.place)
	}
	if al.place == 0 {
		a.hurry()
	}
}

// hurry has keepTime look at the first alarm.
func (a *alarms) hurry() {
	select {
	case a.sooner <- struct{}{}:
	default:
	}
}

func (a *alarms) cancel(al *alarm) {
	if al.place != nowhere {
		heap.Remove(&a.heap, al.place)
	}
}

// ringAtOnce bounds how long the lock is held when many alarms are due.
const ringAtOnce = 512

// ring rings what is due and returns how long to sleep then; 0 means that there is more to do.
func (a *alarms) ring(now int64) (rang bool, sleep time.Duration) {
	for range ringAtOnce {
		if len(a.heap) == 0 {
			return rang, time.Hour
		}
		first := a.heap[0]
		if first.at > now {
			return rang, time.Duration(first.at-now) * time.Millisecond
		}
		a.cancel(first)
		first.owner.ring(now)
		rang = true
	}
	return rang, 0
}

// keepTime rings alarms until stop is closed.
func (b *broker) keepTime(stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-timer.C:
		case <-b.alarms.sooner:
		}
		b.mu.Lock()
		rang, sleep := b.alarms.ring(b.now())
		b.mu.Unlock()
		if rang {
			if err := b.Durable(b.Position()); err != nil {
				b.log.Error("broker cannot make expiries durable", "error", err)
			}
		}
		timer.Reset(sleep)
	}
}

type alarmHeap []*alarm

func (h alarmHeap) Len() int { return len(h) }
func (h alarmHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].turn < h[j].turn
}
func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *alarmHeap) Push(x any) {
	al := x.(*alarm)
	al.place = len(*h)
	*h = append(*h, al)
}

// Pop implements heap.Interface.
func (h *alarmHeap) Pop() any {
	old := *h
	al := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	al.place = nowhere
	return al
}
