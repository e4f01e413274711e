package minicosmos

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// faults are those that are switched on. Without one a request pays a nil check.
type faults struct {
	mu     sync.Mutex // guards the rest; nothing is taken under it
	list   []*armed
	random *rand.Rand
}

// armed is a fault that is switched on.
type armed struct {
	Fault
	set     *faults
	fired   int
	buckets map[*physical]*bucket // of a Budget
}

// Injected is a fault that is or was switched on, and how often it has happened.
type Injected struct {
	Fault
	Fired int `json:"fired"`
}

// Inject switches faults on, after those that are: of several that could happen to the same request, the first does.
// Stale, Shuffle and Budget come on top of the others.
func (s *Server) Inject(list ...Fault) error {
	for i := range list {
		if err := list[i].check(); err != nil {
			return err
		}
	}
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	set := &faults{random: rand.New(rand.NewPCG(1, 1))} // the same choices in each run
	if last := s.faults.Load(); last != nil {
		set = last
	}
	set.mu.Lock()
	var behind Duration
	for _, f := range list {
		set.list = append(set.list, &armed{Fault: f, set: set, buckets: map[*physical]*bucket{}})
	}
	for _, f := range set.list {
		if f.Do == Stale {
			behind = max(behind, f.Delay)
		}
	}
	set.mu.Unlock()
	if behind > 0 {
		s.store.remember(time.Duration(behind))
	}
	s.faults.Store(set)
	return nil
}

// Faults lists what Inject has switched on since ClearFaults, in order, with what has happened. Those that are over stay.
func (s *Server) Faults() []Injected {
	set := s.faults.Load()
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

// ClearFaults switches all faults off.
func (s *Server) ClearFaults() {
	s.faultsMu.Lock()
	defer s.faultsMu.Unlock()
	if s.faults.Swap(nil) != nil {
		s.store.remember(0)
	}
}

// befallen is what happens to one request: at most one fault of each kind.
type befallen struct{ act, stale, shuffle, budget *armed }

// befall chooses the faults of a request.
func (s *Server) befall(r *request, on Operation) (b befallen) {
	set := s.faults.Load()
	if set == nil {
		return b
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, f := range set.list {
		place := &b.act
		switch f.Do {
		case Stale:
			place = &b.stale
		case Shuffle:
			place = &b.shuffle
		case Budget:
			place = &b.budget
		}
		if *place != nil || !f.hits(on, r.names) || f.Times > 0 && f.fired >= f.Times || f.Chance > 0 && set.random.Float64() >= f.Chance {
			continue
		}
		*place = f
		if f.Do != Budget { // that counts when it refuses
			f.fired++
		}
	}
	return b
}

// pick chooses one of n.
func (f *armed) pick(n int) int {
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	return f.set.random.IntN(n)
}

func (f *armed) shuffle(list []*record) {
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	f.set.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// replicas is how many of them lag behind the newest state.
const replicas = 3

// replica is what a lagging replica shows, nil if the request is to see the newest state.
func (s *Server) replica(r *request, c *container, wanted session, l *layout) *sight {
	if r.stale == nil {
		return nil
	}
	if level := r.Header.Get("X-Ms-Consistency-Level"); level == "Strong" || level == "BoundedStaleness" {
		return nil
	}
	v := s.store.acquirePast(time.Duration(r.stale.Delay) * time.Duration(1+r.stale.pick(replicas)) / replicas)
	if v == nil {
		return nil
	}
	counters, err := v.counters(c.number)
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

// bucket is what a physical range has left of its request units; below zero it owes some.
type bucket struct {
	left float64
	at   time.Time
}

// shares are the physical ranges that a request is charged to.
func (r *request) shares(c *container) []*physical {
	l := c.layout.Load()
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

// admit refuses a request to a range that has nothing left.
func (f *armed) admit(ranges []*physical, c *container) *Error {
	rate := f.rate(c)
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	now := time.Now()
	for _, p := range ranges {
		b := f.buckets[p]
		if b == nil {
			b = &bucket{left: rate, at: now}
			f.buckets[p] = b
		}
		b.left = min(rate, b.left+rate*now.Sub(b.at).Seconds())
		if b.at = now; b.left <= 0 {
			f.fired++
			return throttled(time.Duration(-b.left / rate * float64(time.Second)))
		}
	}
	return nil
}

// spend takes what a request has cost, in equal shares.
func (f *armed) spend(ranges []*physical, charge float64) {
	f.set.mu.Lock()
	defer f.set.mu.Unlock()
	for _, p := range ranges {
		if b := f.buckets[p]; b != nil {
			b.left -= charge / float64(len(ranges))
		}
	}
}

// serverlessUnits is what a serverless container has in a second, whatever its number of ranges up to five.
const serverlessUnits = 5000

func (f *armed) rate(c *container) float64 {
	if f.RequestUnits > 0 {
		return f.RequestUnits
	}
	units := float64(serverlessUnits)
	if o := cmp.Or(c.offer.Load(), c.database.offer.Load()); o != nil {
		units = float64(o.units())
	}
	return units / float64(len(c.layout.Load().live))
}

// under answers a request under its faults; cut tells to close the connection instead of answering.
func (s *Server) under(r *request, on Operation) (a *answer, bad *Error, cut bool) {
	b := s.befall(r, on)
	r.stale, r.shuffle = b.stale, b.shuffle
	var c *container
	if len(r.names) > 1 && (b.budget != nil || b.act != nil && b.act.Do == Split) {
		c, _ = s.catalog.container(r.names[0], r.names[1]) // what is not there is said by dispatch
	}
	var ranges []*physical
	if c != nil && b.budget != nil {
		ranges = r.shares(c)
		if bad := b.budget.admit(ranges, c); bad != nil {
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
			if err := s.split(c, r.shares(c)[0].id); err != nil {
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

// operation says what kind of request it is.
func (r *request) operation() Operation {
	switch {
	case r.feed == "offers":
		return OpOffer
	case len(r.names) == 0 && r.feed == "":
		return OpAccount
	case r.feed == "pkranges":
		return OpRanges
	case r.feed == "docs":
		return r.feedOperation()
	case len(r.names) == 2 || r.feed == "colls":
		return OpContainer
	case len(r.names) < 2:
		return OpDatabase
	}
	switch r.Method {
	case http.MethodPut:
		return OpReplace
	case http.MethodPatch:
		return OpPatch
	case http.MethodDelete:
		return OpDelete
	}
	return OpRead
}

func (r *request) feedOperation() Operation {
	switch {
	case r.Method == http.MethodGet && r.Header.Get("A-Im") != "":
		return OpFeed
	case r.Method == http.MethodGet || r.isQuery():
		return OpQuery
	case r.flag("X-Ms-Cosmos-Is-Batch-Request"):
		return OpBatch
	case r.flag("X-Ms-Documentdb-Is-Upsert"):
		return OpUpsert
	}
	return OpCreate
}
