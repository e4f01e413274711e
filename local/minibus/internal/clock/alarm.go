package clock

import "container/heap"

// Alarm is one point in time at which something ends: a lock, a life, a wait, a schedule. Whoever has one embeds it; the
// owner's lock guards it.
type Alarm struct {
	at    int64  // Unix milliseconds
	turn  uint64 // alarms of one moment ring in the order in which they were set
	place int    // in the clock's heap, or idle
	owner Ringer
}

// Ringer is told when its alarm is due. The owner's lock is held.
type Ringer interface{ Ring(now int64) }

// idle is the place of an alarm that is not set.
const idle = -1

// NewAlarm is an alarm that is not set.
func NewAlarm(owner Ringer) Alarm { return Alarm{place: idle, owner: owner} }

// IsSet says whether the alarm will ring.
func (al *Alarm) IsSet() bool { return al.place != idle }

// Set moves an alarm to a point in time. The caller holds the owner's lock.
func (c *Clock) Set(al *Alarm, at int64) {
	c.turns++
	al.at, al.turn = at, c.turns
	if al.place == idle {
		heap.Push(&c.heap, al)
	} else {
		heap.Fix(&c.heap, al.place)
	}
	if al.place == 0 {
		c.hurry()
	}
}

// Cancel unsets an alarm, if it is set. The caller holds the owner's lock.
func (c *Clock) Cancel(al *Alarm) {
	if al.place != idle {
		heap.Remove(&c.heap, al.place)
	}
}

type alarmHeap []*Alarm

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
	al := x.(*Alarm)
	al.place = len(*h)
	*h = append(*h, al)
}

// Pop implements heap.Interface.
func (h *alarmHeap) Pop() any {
	old := *h
	al := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	al.place = idle
	return al
}
