package fault

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/local/faulthttp"
	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// faults are those that are switched on. Without one a request pays a nil check.
type faults struct {
	mu     sync.Mutex // guards the rest; nothing is taken under it
	list   []*Armed
	random *rand.Rand
}

// Armed is a fault that is switched on.
type Armed struct {
	Fault
	set     *faults
	fired   int
	buckets map[*layout.Physical]*bucket // of a Budget
}

// Injected is a fault that is or was switched on, and how often it has happened.
type Injected struct {
	Fault
	Fired int `json:"fired"`
}

// Set is the faults of a server. Its zero value has none; Keep is told how old the states may be that they show.
type Set struct {
	Keep     func(time.Duration) // called when faults are switched; set before the first is
	switched sync.Mutex          // held by what switches faults
	on       atomic.Pointer[faults]
}

// Inject switches faults on, after those that are: of several that could happen to the same request, the first does.
// there says why a database or container, either of which may be "", is not there.
func (k *Set) Inject(there func(database, container string) error, list ...Fault) error {
	for _, f := range list {
		if err := f.check(); err != nil {
			return err
		}
		if f.On == wire.OpDatabase || f.On == wire.OpContainer { // which may be about to create it
			continue
		}
		if err := there(f.Database, f.Container); err != nil {
			return fmt.Errorf("%w: %w", ErrFault, err)
		}
	}
	k.switched.Lock()
	defer k.switched.Unlock()
	set := &faults{random: rand.New(rand.NewPCG(1, 1))} // the same choices in each run
	if last := k.on.Load(); last != nil {
		set = last
	}
	set.mu.Lock()
	var behind faulthttp.Duration
	for _, f := range list {
		set.list = append(set.list, &Armed{Fault: f, set: set, buckets: map[*layout.Physical]*bucket{}})
	}
	for _, f := range set.list {
		if f.Do == Stale {
			behind = max(behind, f.Delay)
		}
	}
	set.mu.Unlock()
	if behind > 0 {
		k.Keep(time.Duration(behind))
	}
	k.on.Store(set)
	return nil
}

// List is what Inject has switched on since Clear, in order, with what has happened.
func (k *Set) List() []Injected {
	set := k.on.Load()
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

// Clear switches all faults off.
func (k *Set) Clear() {
	k.switched.Lock()
	defer k.switched.Unlock()
	if k.on.Swap(nil) != nil {
		k.Keep(0)
	}
}

// Befallen is what happens to one request: at most one fault of each kind.
type Befallen struct{ Act, Stale, Shuffle, Budget *Armed }

// Befall chooses the faults of an operation on what the names address.
func (k *Set) Befall(on wire.Operation, names []string) (b Befallen) {
	set := k.on.Load()
	if set == nil {
		return b
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, f := range set.list {
		place := &b.Act
		switch f.Do {
		case Stale:
			place = &b.Stale
		case Shuffle:
			place = &b.Shuffle
		case Budget:
			place = &b.Budget
		}
		if *place != nil || !f.hits(on, names) || f.Times > 0 && f.fired >= f.Times || f.Chance > 0 && set.random.Float64() >= f.Chance {
			continue
		}
		*place = f
		if f.Do != Budget { // that counts when it refuses
			f.fired++
		}
	}
	return b
}

// Pick chooses one of n.
func (f *Armed) Pick(n int) int {
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	return f.set.random.IntN(n)
}

// Shuffle mixes n up.
func (f *Armed) Shuffle(n int, swap func(i, j int)) {
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	f.set.random.Shuffle(n, swap)
}

// defaultWait is what Throttle asks for without a Delay.
const defaultWait = 10 * time.Millisecond

// Refusal is the answer of an effect that refuses, nil for the others.
func (f *Armed) Refusal() *refusal.Error {
	switch f.Do {
	case Throttle:
		if f.Delay > 0 {
			return refusal.Throttled(time.Duration(f.Delay))
		}
		return refusal.Throttled(defaultWait)
	case RetryWith:
		return &refusal.Error{Status: 449, Code: "RetryWith", Message: "There is a conflicting operation in progress. Retry the request."}
	case Gone:
		return &refusal.Error{Status: http.StatusGone, Substatus: refusal.SubstatusRangeGone, Code: "Gone", Message: "The requested resource is no longer available at the server."}
	case Unavailable:
		return &refusal.Error{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "Service is currently unavailable, please retry after a while."}
	case Timeout:
		return &refusal.Error{Status: http.StatusRequestTimeout, Code: "RequestTimeout", Message: "The request timed out; nothing was done."}
	case NoSession:
		return refusal.Session
	case Broken:
		return &refusal.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "An unknown error occurred while processing this request."}
	}
	return nil
}
