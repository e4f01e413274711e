package page

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// trailLength is how many events are remembered.
	trailLength = 500
	// rateSeconds are the finished seconds that rates are about, spanTime the latencies' time.
	rateSeconds = 10
	spanTime    = time.Minute
)

// Way is an event on its way. Times that have not come are zero.
type Way struct {
	ID       string    `json:"id"`
	Key      string    `json:"key"`
	Seq      int64     `json:"seq"`
	Type     string    `json:"type"`
	Trace    string    `json:"trace,omitempty"` // the trace id
	State    State     `json:"state"`
	Written  time.Time `json:"written,omitzero"`
	Sent     time.Time `json:"sent,omitzero"`
	Consumed time.Time `json:"consumed,omitzero"`
	Dead     time.Time `json:"dead,omitzero"`
}

// State is where an event is.
type State string

// The states.
const (
	Pending  State = "pending"  // in the store, and not sent
	IsParked State = "parked"   // refused
	IsPassed State = "skipped"  // refused, and its key went on without it
	Sent     State = "sent"     // the broker has it
	Consumed State = "consumed" // the consumer has processed it
	Dead     State = "dead letter"
)

// Flow is how much comes by, and how long it takes. What is not known is nil.
type Flow struct {
	// Events a second, over the last ten.
	Written  *float64 `json:"written"`
	Sent     *float64 `json:"sent"`
	Consumed *float64 `json:"consumed"`
	// From the write, of events that got there within the last minute.
	ToBroker *Spans `json:"toBroker"`
	ToEffect *Spans `json:"toEffect"`
}

// Spans are quantiles of N times, in milliseconds.
type Spans struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	N   int     `json:"n"`
}

// Trail remembers the last events that the broker has seen, and counts. It is told by the broker,
// so it knows of an event that it was sent, and not of one that waits in the store. It takes
// microseconds an event. All methods are safe for concurrent use.
type Trail struct {
	mu    sync.Mutex       // guards the rest
	ring  []*step          // the oldest first
	known map[string]*step // by ids of events and messages: one that two have in common is the later one's
	began time.Time
	// Counts by second.
	written, sent, consumed counter
}

// step is an event under a message id.
type step struct {
	way *Way
	ids []string // all of its messages': a redriven dead letter has another
}

// NewTrail returns one that remembers nothing.
func NewTrail(now time.Time) *Trail { return &Trail{known: map[string]*step{}, began: now} }

// Sent: the broker has taken w, in the message of that id.
func (t *Trail) Sent(w Way, message string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent.add(now)
	if s := t.known[w.ID]; s != nil { // sent once more: a dead letter was redriven
		s.way.State, s.way.Dead = Sent, time.Time{}
		if t.known[message] == nil {
			t.known[message], s.ids = s, append(s.ids, message)
		}
		return
	}
	t.written.add(w.Written)
	w.State, w.Sent = Sent, now
	s := &step{way: &w, ids: []string{w.ID}}
	if message != "" && message != w.ID {
		s.ids = append(s.ids, message)
	}
	for _, id := range s.ids {
		t.known[id] = s
	}
	t.ring = append(t.ring, s)
	if len(t.ring) > trailLength {
		t.forget(t.ring[0])
		t.ring = t.ring[1:]
	}
}

// forget leaves what another event has been known by since.
func (t *Trail) forget(s *step) {
	for _, id := range s.ids {
		if t.known[id] == s {
			delete(t.known, id)
		}
	}
}

// Consumed: the consumer has processed the message.
func (t *Trail) Consumed(message string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.consumed.add(now)
	if s := t.known[message]; s != nil {
		s.way.State, s.way.Consumed, s.way.Dead = Consumed, now, time.Time{}
	}
}

// Dead: the message was dead-lettered.
func (t *Trail) Dead(message string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.known[message]; s != nil {
		s.way.State, s.way.Dead = Dead, now
	}
}

// Show returns the flow and the last events, those among them that wait in the store: waiting, nil if
// nobody knows them.
func (t *Trail) Show(now time.Time, waiting []Way) (Flow, []Way) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Way, 0, len(t.ring)+len(waiting))
	var toBroker, toEffect []time.Duration
	for _, s := range t.ring {
		w := s.way
		all = append(all, *w)
		if !w.Sent.IsZero() && now.Sub(w.Sent) < spanTime {
			toBroker = append(toBroker, w.Sent.Sub(w.Written))
		}
		if !w.Consumed.IsZero() && now.Sub(w.Consumed) < spanTime {
			toEffect = append(toEffect, w.Consumed.Sub(w.Written))
		}
	}
	f := Flow{Sent: t.rate(&t.sent, now), Consumed: t.rate(&t.consumed, now), ToBroker: spansOf(toBroker), ToEffect: spansOf(toEffect)}
	written := t.written
	for _, w := range waiting {
		if t.known[w.ID] == nil { // else it was sent since the store was asked
			written.add(w.Written)
			all = append(all, w)
		}
	}
	if waiting != nil {
		f.Written = t.rate(&written, now)
	}
	slices.SortStableFunc(all, func(a, b Way) int {
		return cmp.Or(b.Written.Compare(a.Written), cmp.Compare(a.Key, b.Key), cmp.Compare(b.Seq, a.Seq))
	})
	return f, all[:min(len(all), trailLength)]
}

// rate is events a second, nil in the first second.
func (t *Trail) rate(c *counter, now time.Time) *float64 {
	seconds := min(rateSeconds, now.Unix()-t.began.Unix())
	if seconds < 1 {
		return nil
	}
	n := 0
	for at := now.Unix() - seconds; at < now.Unix(); at++ {
		n += c.of(at)
	}
	rate := float64(n) / float64(seconds)
	return &rate
}

// counter counts by second, as far back as rates go.
type counter [rateSeconds + 2]struct {
	second int64
	n      int
}

func (c *counter) add(at time.Time) {
	slot := &c[uint64(at.Unix())%uint64(len(c))]
	switch {
	case slot.second == at.Unix():
		slot.n++
	case slot.second < at.Unix(): // else it is long ago
		slot.second, slot.n = at.Unix(), 1
	}
}

func (c *counter) of(second int64) int {
	if slot := c[uint64(second)%uint64(len(c))]; slot.second == second {
		return slot.n
	}
	return 0
}

func spansOf(all []time.Duration) *Spans {
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	at := func(percent int) float64 {
		d := all[min(len(all)-1, len(all)*percent/100)]
		return float64(max(0, d).Microseconds()) / 1000 // clocks of two programs may differ a little
	}
	return &Spans{P50: at(50), P99: at(99), N: len(all)}
}

// fits says whether somebody who looks for text means the event: by its key, trace id, id or type.
func (w *Way) fits(text string) bool {
	text = strings.ToLower(text)
	for _, of := range []string{w.Key, w.Trace, w.ID, w.Type, string(w.State)} {
		if strings.Contains(strings.ToLower(of), text) {
			return true
		}
	}
	return false
}
