package rest

import (
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/fault"
	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// under answers a request under its faults; cut tells to close the connection instead of answering.
func (s *Service) under(r *call, on wire.Operation) (a *wire.Answer, bad *refusal.Error, cut bool) {
	b := s.Faults.Befall(on, r.Names)
	r.stale, r.shuffle = b.Stale, b.Shuffle
	var c *account.Container
	if len(r.Names) > 1 && (b.Budget != nil || b.Act != nil && b.Act.Do == fault.Split) {
		c, _ = s.Account.Container(r.Names[0], r.Names[1]) // what is not there is said by dispatch
	}
	var ranges []*layout.Physical
	if c != nil && b.Budget != nil {
		ranges = r.shares(c)
		if bad := b.Budget.Admit(ranges, c.Rate()); bad != nil {
			return nil, bad, false
		}
	}
	if f := b.Act; f != nil {
		if bad := f.Refusal(); bad != nil {
			return nil, bad, false
		}
		if f.Do == fault.DropBefore {
			return nil, nil, true
		}
		if f.Do == fault.Split && c != nil {
			if err := s.Account.SplitRange(c, r.shares(c)[0].ID); err != nil {
				s.Log.Warn("split", "error", err)
			}
		}
	}
	a, bad = s.dispatch(r)
	if ranges != nil {
		charge := float64(wire.ChargeRefused)
		if a != nil {
			charge = a.Charge
		}
		b.Budget.Spend(ranges, charge)
	}
	if f := b.Act; f != nil {
		switch f.Do {
		case fault.DropAfter:
			return a, nil, true
		case fault.Delay:
			select {
			case <-time.After(time.Duration(f.Delay)):
			case <-r.Context().Done():
			case <-s.Stop:
			}
		}
	}
	return a, bad, false
}

// shares are the physical ranges that a request is charged to.
func (r *call) shares(c *account.Container) []*layout.Physical {
	l := c.Layout()
	if p, bad := r.part(); bad == nil && p.ID >= 0 && p.ID < len(l.All) {
		return l.All[p.ID : p.ID+1]
	}
	if r.Header.Get("X-Ms-Documentdb-Partitionkey") != "" {
		if pk, bad := r.partitionKey(c); bad == nil {
			return []*layout.Physical{l.OfKey(&c.PK, pk)}
		}
	}
	return l.Live
}
