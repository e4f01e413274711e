package fault

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// Set is the faults of a broker. Its zero value has none, and then each operation pays a nil check.
type Set struct {
	current atomic.Pointer[switched] // stored under the owner's lock
}

// switched are the faults that are switched on.
type switched struct {
	mu     sync.Mutex // guards the rest; taken last
	list   []*Armed
	random *rand.Rand
}

// Armed is a fault that is switched on.
type Armed struct {
	Fault
	set    *switched
	entity string // key
	fired  int
	held   []func() // what a Stall has held back
}

// Injected is a fault that is or was switched on, and how often it has happened.
type Injected struct {
	Fault
	Fired int `json:"fired"`
}

// Inject switches faults on, after those that are: of several that could happen at the same moment, the first does. key
// is what Next calls an entity of a path, or why there is none. The caller holds the owner's lock.
func (s *Set) Inject(key func(path string) (string, error), list ...Fault) error {
	keys := make([]string, len(list))
	for i, f := range list {
		if err := f.check(); err != nil {
			return err
		}
		if f.Entity == "" {
			continue
		}
		var err error
		if keys[i], err = key(f.Entity); err != nil {
			return fmt.Errorf("%w: entity is %q: %w", ErrFault, f.Entity, err)
		}
	}
	set := &switched{random: rand.New(rand.NewPCG(1, 1))} // the same choices in each run
	if last := s.current.Load(); last != nil {
		set = last
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	for i, f := range list {
		set.list = append(set.list, &Armed{Fault: f, set: set, entity: keys[i]})
	}
	s.current.Store(set)
	return nil
}

// List lists what Inject has switched on since Clear, in order, with what has happened. Those that are over stay.
func (s *Set) List() []Injected {
	set := s.current.Load()
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

// Clear switches all faults off. What a Stall has held back goes out with resume. The caller holds the owner's lock, but
// not when it calls resume.
func (s *Set) Clear() (resume func()) {
	set := s.current.Swap(nil)
	if set == nil {
		return func() {}
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	var held []func()
	for _, f := range set.list {
		held = append(held, f.held...)
		f.held = nil
	}
	set.list = nil
	return func() {
		for _, resume := range held {
			resume()
		}
	}
}

// Next is what goes wrong now with the entity of a key, or nil. has says whether there is a message of a session that a
// pattern fits; without it there is none.
func (s *Set) Next(on Moment, key string, has func(session string) bool) *Armed {
	set := s.current.Load()
	if set == nil {
		return nil
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, f := range set.list {
		if f.On != on || f.entity != "" && f.entity != key || f.Times > 0 && f.fired >= f.Times {
			continue
		}
		if f.Session != "" && (has == nil || !has(f.Session)) {
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

// Hold keeps back what resume lets go.
func (f *Armed) Hold(resume func()) {
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

// Pick chooses one of n.
func (f *Armed) Pick(n int) int {
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	return f.set.random.IntN(n)
}

// Spoils says whether a settlement finds its lock lost, or a completion is not the end of the message.
func (f *Armed) Spoils(state amqpwire.State) bool {
	if f == nil {
		return false
	}
	_, completes := state.(*amqpwire.Accepted)
	return f.Do == LoseLock || f.Do == Duplicate && completes
}
