package outbox

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxSettled bounds the keys of which a process knows what it has settled last. The next event
// of one that is forgotten costs a query.
const maxSettled = 16_384

// settled is the newest event of each key that this process has settled. What has that number
// and those below it, in its incarnation, is at the broker: they went out in order.
type settled struct {
	mu   sync.Mutex
	last *simplelru.LRU[string, position] // guarded by mu
}

type position struct {
	incarnation string
	seq         int64
}

func newSettled() *settled {
	last, err := simplelru.NewLRU[string, position](maxSettled, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &settled{last: last}
}

// note is called once e has left the store, and those before it.
func (s *settled) note(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.last.Peek(e.Key); ok && p.incarnation == e.Incarnation && p.seq > e.Seq {
		return // a drain that was frozen
	}
	s.last.Add(e.Key, position{e.Incarnation, e.Seq})
}

// of is the newest number, 0 for none that is known.
func (s *settled) of(key, incarnation string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.last.Get(key); ok && p.incarnation == incarnation {
		return p.seq
	}
	return 0
}
