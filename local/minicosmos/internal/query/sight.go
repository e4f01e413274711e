package query

import (
	"slices"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
)

// Sight is what one request sees: one replica's state of one container.
type Sight struct {
	*store.View
	Layout *layout.Layout                // knows each range that the view has
	Token  func(*layout.Physical) uint64 // the LSN that is seen of a range
}

// See looks at a container: at the newest state or, with a lag, at an older one that satisfies the session. The caller
// releases the view. What it says of LSNs was read before the view was taken, so the view is at least as new.
func See(a *account.Account, c *account.Container, wanted layout.Session, lag func() time.Duration) (*Sight, *refusal.Error) {
	before := c.Layout()
	seen := make([]uint64, len(before.All))
	for i, p := range before.All {
		seen[i] = p.DurableLSN.Load()
	}
	at := &Sight{Token: func(p *layout.Physical) uint64 { return layout.LSNIn(seen, p) }}
	if !at.satisfies(before, wanted) {
		return nil, refusal.Session
	}
	if lag != nil {
		if old := replica(a, c, wanted, before, lag()); old != nil {
			old.Layout = c.Layout()
			return old, nil
		}
	}
	at.View = a.Acquire()
	at.Layout = c.Layout() // after the view, so that it knows each range the view has
	return at, nil
}

// replica is what a replica that lags behind shows, nil if the request is to see the newest state.
func replica(a *account.Account, c *account.Container, wanted layout.Session, l *layout.Layout, lag time.Duration) *Sight {
	v := a.AcquirePast(lag)
	if v == nil {
		return nil
	}
	counters, err := account.Counters(v, c.Number)
	if err != nil || len(counters) == 0 {
		counters = []uint64{0}
	}
	old := &Sight{View: v, Token: func(p *layout.Physical) uint64 { return layout.LSNIn(counters[1:], p) }}
	if !old.satisfies(l, wanted) {
		_ = v.Release() // a snapshot's Close cannot fail while the store is open
		return nil
	}
	return old
}

// satisfies tells whether every range shows what the session has seen.
func (at *Sight) satisfies(l *layout.Layout, wanted layout.Session) bool {
	if len(wanted) == 0 {
		return true
	}
	return !slices.ContainsFunc(l.Live, func(p *layout.Physical) bool { return at.Token(p) < wanted.Of(p) })
}

// one returns the live range with that id.
func (at *Sight) one(id int) (*layout.Physical, *refusal.Error) {
	if id >= len(at.Layout.All) || at.Layout.All[id].Gone {
		return nil, refusal.RangeGone(id)
	}
	return at.Layout.All[id], nil
}

// inside tells whether a document lies in a part of the key space.
func (at *Sight) inside(c *account.Container, r *document.Record, p Part) (bool, error) {
	if p.ID >= 0 {
		if in, err := at.Layout.OfRecord(&c.PK, r); err != nil || in.ID != p.ID {
			return false, err
		}
	}
	if p.Keys == nil {
		return true, nil
	}
	pk, err := r.PartitionKey(&c.PK)
	return err == nil && p.Keys.Contains(c.PK.EPK(pk)), err
}

// Asked are the physical ranges that a query over a scope asks.
func (at *Sight) Asked(c *account.Container, sc Scope) ([]*layout.Physical, *refusal.Error) {
	switch {
	case sc.ID >= 0:
		one, bad := at.one(sc.ID)
		if bad != nil {
			return nil, bad
		}
		return []*layout.Physical{one}, nil
	case len(sc.Key) == len(c.PK.Paths):
		return []*layout.Physical{at.Layout.OfKey(&c.PK, sc.Key)}, nil
	}
	return at.Layout.Live, nil
}
