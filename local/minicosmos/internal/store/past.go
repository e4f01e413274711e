package store

import "time"

// maxPast bounds the states that are kept: each holds what was overwritten since.
const maxPast = 256

// pastView is a state that was the newest until a time.
type pastView struct {
	*View
	until time.Time
}

// retire keeps a state that is no longer the newest, as long as lagging replicas may show it.
func (s *Store) retire(v *View) {
	now := time.Now()
	if s.keep > 0 {
		s.past = append(s.past, &pastView{v, now})
	} else {
		_ = v.Release() // a snapshot's Close cannot fail while the store is open
	}
	for len(s.past) > 0 && now.Sub(s.past[0].until) > s.keep { // it was the newest up to then: something newer is old enough
		_ = s.past[0].Release()
		s.past = s.past[1:]
	}
	if len(s.past) < maxPast {
		return
	}
	var kept []*pastView
	for i, p := range s.past {
		if i%2 == 1 {
			kept = append(kept, p)
		} else {
			_ = p.Release()
		}
	}
	s.past = kept
}

// Remember keeps past states for a time, 0 for none.
func (s *Store) Remember(keep time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep = keep
	if keep == 0 {
		for _, p := range s.past {
			_ = p.Release()
		}
		s.past = nil
	}
}

// AcquirePast returns the state that was the newest a time ago, or the oldest that is kept; nil if that is the newest.
func (s *Store) AcquirePast(ago time.Duration) *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	then := time.Now().Add(-ago)
	for _, p := range s.past {
		if p.until.After(then) {
			p.refs.Add(1)
			return p.View
		}
	}
	return nil
}
