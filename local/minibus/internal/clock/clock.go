package clock

import (
	"sync"
	"sync/atomic"
	"time"
)

// Clock is the owner's time and its one heap of alarms.
type Clock struct {
	ahead  atomic.Int64 // of the real clock, in milliseconds
	heap   alarmHeap    // this and turns: guarded by the owner's lock
	turns  uint64
	sooner chan struct{} // there is a new first alarm
}

// New is a clock without alarms.
func New() *Clock { return &Clock{sooner: make(chan struct{}, 1)} }

// Now is in Unix milliseconds: the real time, and what tests have skipped.
func (c *Clock) Now() int64 { return time.Now().UnixMilli() + c.ahead.Load() }

// Advance moves the clock forward, and rings what is due until then, in order. The caller holds the owner's lock.
func (c *Clock) Advance(d time.Duration) {
	to := c.Now() + d.Milliseconds()
	for len(c.heap) > 0 && c.heap[0].at <= to {
		c.ahead.Add(max(c.heap[0].at-c.Now(), 0))
		c.ringDue(c.Now())
	}
	c.ahead.Add(max(to-c.Now(), 0))
	c.hurry()
}

// hurry has keep look at the first alarm.
func (c *Clock) hurry() {
	select {
	case c.sooner <- struct{}{}:
	default:
	}
}

// ringAtOnce bounds how long the lock is held when many alarms are due.
const ringAtOnce = 512

// longest is how long, in milliseconds, to sleep without another look: alarms may be further away than a time.Duration is long.
const longest = int64(time.Hour / time.Millisecond)

// ringDue rings what is due and returns how long to sleep then; 0 means that there is more to do.
func (c *Clock) ringDue(now int64) (rang bool, sleep time.Duration) {
	for range ringAtOnce {
		if len(c.heap) == 0 {
			return rang, time.Hour
		}
		first := c.heap[0]
		if first.at > now {
			return rang, time.Duration(min(first.at-now, longest)) * time.Millisecond
		}
		c.Cancel(first)
		first.owner.Ring(now)
		rang = true
	}
	return rang, 0
}

// Keep rings alarms until stop is closed, with the owner's lock held; rung is called without it after some have rung.
func (c *Clock) Keep(stop <-chan struct{}, lock sync.Locker, rung func()) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-timer.C:
		case <-c.sooner:
		}
		lock.Lock()
		rang, sleep := c.ringDue(c.Now())
		lock.Unlock()
		if rang {
			rung()
		}
		timer.Reset(sleep)
	}
}
