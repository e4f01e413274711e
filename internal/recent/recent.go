// Package recent keeps the documents that a process read or wrote last, bounded by their
// weight, and says when to bet on one.
//
// It promises nothing about the store: what is kept may be old. Who bets must commit under
// the revision that was kept, and so finds out. A bet that is lost costs a request more than
// a read would have, so a key that others write is not bet on until several reads in a row
// have shown nothing new. It imports nothing of ours.
package recent

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxDoubt is how many reads in a row must show nothing new before a key is bet on again
// whose bets were lost over and over.
const maxDoubt = 15

// Cache is safe for use by many goroutines.
type Cache[V any] struct {
	mu     sync.Mutex
	docs   *simplelru.LRU[string, doc[V]]
	weight int
	limit  int
}

type doc[V any] struct {
	value    V
	revision string
	weight   int
	doubt    int // reads that must show nothing new before the next bet
}

// maxDocs bounds the number of documents, whatever they weigh.
const maxDocs = 1 << 20

// overhead is what an entry weighs beside its value: key, list and map.
const overhead = 256

// New returns a cache of at most limit bytes, as its users count them. With none it keeps
// nothing.
func New[V any](limit int) *Cache[V] {
	docs, err := simplelru.NewLRU[string, doc[V]](maxDocs, nil)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &Cache[V]{docs: docs, limit: limit}
}

// Bet returns what is kept of a key, if it is likely to be what the store has.
func (c *Cache[V]) Bet(key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.docs.Get(key)
	return d.value, ok && d.doubt == 0 && d.revision != ""
}

// Missing says whether nothing speaks for a document under key: nothing is known of it, or the
// last that was seen is that there is none.
func (c *Cache[V]) Missing(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.docs.Peek(key)
	return !ok || d.revision == "" && d.doubt == 0
}

// Wrote keeps what this process has committed.
func (c *Cache[V]) Wrote(key, revision string, value V, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, _ := c.docs.Peek(key)
	c.put(key, doc[V]{value, revision, weight + overhead, d.doubt})
}

// Read keeps what a read has shown, and whether a bet would have been won.
func (c *Cache[V]) Read(key, revision string, value V, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.docs.Peek(key)
	switch {
	case !ok || d.revision == "":
	case d.revision == revision:
		d.doubt = max(0, d.doubt-1)
	default:
		d.doubt = doubled(d.doubt)
	}
	c.put(key, doc[V]{value, revision, weight + overhead, d.doubt})
}

// Lost notes that somebody else has written the key since: a bet on it was lost.
func (c *Cache[V]) Lost(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d, ok := c.docs.Peek(key); ok {
		c.put(key, doc[V]{weight: overhead, doubt: doubled(d.doubt)})
	}
}

// Forget drops a key of which nobody knows what the store has.
func (c *Cache[V]) Forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d, ok := c.docs.Peek(key); ok {
		c.put(key, doc[V]{weight: overhead, doubt: d.doubt})
	}
}

func doubled(doubt int) int { return min(2*doubt+1, maxDoubt) }

// put replaces the document of key and makes room. One that would take an eighth of all is
// not kept. The caller holds mu.
func (c *Cache[V]) put(key string, d doc[V]) {
	if old, ok := c.docs.Peek(key); ok {
		c.weight -= old.weight
		c.docs.Remove(key)
	}
	if d.weight > c.limit/8 {
		return
	}
	c.docs.Add(key, d)
	c.weight += d.weight
	for c.weight > c.limit {
		_, oldest, _ := c.docs.RemoveOldest()
		c.weight -= oldest.weight
	}
}
