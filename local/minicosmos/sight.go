package minicosmos

import (
	"slices"
	"time"
)

// sight is what one request sees: one replica's state of one container.
type sight struct {
	*view
	layout *layout
	token  func(*physical) uint64 // the LSN that is seen of a range
}

// see looks at a container: at the newest state or, with a lag, at an older one that satisfies the session. The caller
// releases the view. What it says of LSNs was read before the view was taken, so the view is at least as new.
func see(a *account, c *container, wanted session, lag func() time.Duration) (*sight, *Error) {
	before := c.Layout()
	seen := make([]uint64, len(before.all))
	for i, p := range before.all {
		seen[i] = p.durableLSN.Load()
	}
	at := &sight{token: func(p *physical) uint64 { return lsnIn(seen, p) }}
	if !at.satisfies(before, wanted) {
		return nil, errSession
	}
	if lag != nil {
		if old := replica(a, c, wanted, before, lag()); old != nil {
			old.layout = c.Layout()
			return old, nil
		}
	}
	at.view = a.acquire()
	at.layout = c.Layout() // after the view, so that it knows each range the view has
	return at, nil
}

// replica is what a replica that lags behind shows, nil if the request is to see the newest state.
func replica(a *account, c *container, wanted session, l *layout, lag time.Duration) *sight {
	v := a.acquirePast(lag)
	if v == nil {
		return nil
	}
	counters, err := readCounters(v, c.number)
	if err != nil || len(counters) == 0 {
		counters = []uint64{0}
	}
	old := &sight{view: v, token: func(p *physical) uint64 { return lsnIn(counters[1:], p) }}
	if !old.satisfies(l, wanted) {
		_ = v.release() // a snapshot's Close cannot fail while the store is open
		return nil
	}
	return old
}

// satisfies tells whether every range shows what the session has seen.
func (at *sight) satisfies(l *layout, wanted session) bool {
	if len(wanted) == 0 {
		return true
	}
	return !slices.ContainsFunc(l.live, func(p *physical) bool { return at.token(p) < wanted.of(p) })
}

// one returns the live range with that id.
func (at *sight) one(id int) (*physical, *Error) {
	if id >= len(at.layout.all) || at.layout.all[id].gone {
		return nil, gone(id)
	}
	return at.layout.all[id], nil
}

// inside tells whether a document lies in a part of the key space.
func (at *sight) inside(c *container, r *record, p part) (bool, error) {
	if p.id >= 0 {
		if in, err := at.layout.ofRecord(&c.pk, r); err != nil || in.id != p.id {
			return false, err
		}
	}
	if p.keys == nil {
		return true, nil
	}
	pk, err := r.key(&c.pk)
	return err == nil && p.keys.Contains(c.pk.EPK(pk)), err
}

// asked are the physical ranges that a query over a scope asks.
func (at *sight) asked(c *container, sc scope) ([]*physical, *Error) {
	switch {
	case sc.id >= 0:
		one, bad := at.one(sc.id)
		if bad != nil {
			return nil, bad
		}
		return []*physical{one}, nil
	case len(sc.key) == len(c.pk.Paths):
		return []*physical{at.layout.ofKey(&c.pk, sc.key)}, nil
	}
	return at.layout.live, nil
}
