package minicosmos

import (
	"time"
)

// under answers a request under its faults; cut tells to close the connection instead of answering.
func (s *service) under(r *call, on Operation) (a *answer, bad *Error, cut bool) {
	b := s.faults.befall(on, r.names)
	r.stale, r.shuffle = b.stale, b.shuffle
	var c *container
	if len(r.names) > 1 && (b.budget != nil || b.act != nil && b.act.Do == Split) {
		c, _ = s.account.container(r.names[0], r.names[1]) // what is not there is said by dispatch
	}
	var ranges []*physical
	if c != nil && b.budget != nil {
		ranges = r.shares(c)
		if bad := b.budget.admit(ranges, c.Rate()); bad != nil {
			return nil, bad, false
		}
	}
	if f := b.act; f != nil {
		if bad := f.refusal(); bad != nil {
			return nil, bad, false
		}
		if f.Do == DropBefore {
			return nil, nil, true
		}
		if f.Do == Split && c != nil {
			if err := s.account.splitRange(c, r.shares(c)[0].id); err != nil {
				s.log.Warn("split", "error", err)
			}
		}
	}
	a, bad = s.dispatch(r)
	if ranges != nil {
		charge := float64(chargeRefused)
		if a != nil {
			charge = a.charge
		}
		b.budget.spend(ranges, charge)
	}
	if f := b.act; f != nil {
		switch f.Do {
		case DropAfter:
			return a, nil, true
		case Delay:
			select {
			case <-time.After(time.Duration(f.Delay)):
			case <-r.Context().Done():
			case <-s.stop:
			}
		}
	}
	return a, bad, false
}

// shares are the physical ranges that a request is charged to.
func (r *call) shares(c *container) []*physical {
	l := c.Layout()
	if p, bad := r.part(); bad == nil && p.id >= 0 && p.id < len(l.all) {
		return l.all[p.id : p.id+1]
	}
	if r.Header.Get("X-Ms-Documentdb-Partitionkey") != "" {
		if pk, bad := r.partitionKey(c); bad == nil {
			return []*physical{l.ofKey(&c.pk, pk)}
		}
	}
	return l.live
}
