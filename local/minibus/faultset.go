package minibus

import (
	"math/rand/v2"
	"sync"
	"time"
)

// faults are those that are switched on. Without one the broker pays a nil check for each operation.
type faults struct {
	mu     sync.Mutex // guards the rest; taken last
	list   []*armed
	random *rand.Rand
}

// armed is a fault that is switched on.
type armed struct {
	Fault
	set    *faults
	entity string // normalized
	fired  int
	held   []func() // what a Stall has held back
}

// Injected is a fault that is or was switched on, and how often it has happened.
type Injected struct {
	Fault
	Fired int `json:"fired"`
}

// Inject switches faults on, after those that are: of several that could happen at the same moment, the first does.
func (s *Server) Inject(list ...Fault) error {
	for i := range list {
		if err := list[i].check(); err != nil {
			return err
		}
	}
	b := s.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	set := &faults{random: rand.New(rand.NewPCG(1, 1))} // the same choices in each run
	if last := b.faults.Load(); last != nil {
		set = last
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, f := range list {
		set.list = append(set.list, &armed{Fault: f, set: set, entity: normalize(f.Entity)})
	}
	b.faults.Store(set)
	return nil
}

// Faults lists what Inject has switched on since ClearFaults, in order, with what has happened. Those that are over stay.
func (s *Server) Faults() []Injected {
	set := s.broker.faults.Load()
	if set == nil {
		return nil
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	shown := make([]Injected, len(set.list))
	for i, f := range set.list {
		shown[i] = Injected{f.Fault, f.fired}
	}
	return shown
}

// ClearFaults switches all faults off. What a Stall has held back goes out.
func (s *Server) ClearFaults() {
	b := s.broker
	b.mu.Lock()
	set := b.faults.Swap(nil)
	b.mu.Unlock()
	if set == nil {
		return
	}
	set.mu.Lock()
	var held []func()
	for _, f := range set.list {
		held = append(held, f.held...)
		f.held = nil
	}
	set.list = nil
	set.mu.Unlock()
	for _, resume := range held {
		resume()
	}
}

// fault is what goes wrong now, or nil.
func (b *broker) fault(on Moment, e *entity) *armed {
	set := b.faults.Load()
	if set == nil {
		return nil
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, f := range set.list {
		if f.On != on || f.entity != "" && f.entity != e.key || f.Times > 0 && f.fired >= f.Times {
			continue
		}
		if f.Chance > 0 && set.random.Float64() >= f.Chance {
			continue
		}
		f.fired++
		return f
	}
	return nil
}

// hold keeps back what resume lets go.
func (f *armed) hold(resume func()) {
	if f.Do == Delay {
		time.AfterFunc(time.Duration(f.Delay), resume)
		return
	}
	f.set.mu.Lock()
	cleared := f.set.list == nil
	if !cleared {
		f.held = append(f.held, resume)
	}
	f.set.mu.Unlock()
	if cleared {
		resume()
	}
}

// pick chooses one of n.
func (f *armed) pick(n int) int {
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	return f.set.random.IntN(n)
}
