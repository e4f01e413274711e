package outbox

import (
	"sync"
	"time"

	"github.com/relaybox/relaybox/internal/recent"
)

const (
	// keptBytes is what a Writer keeps of entities by default.
	keptBytes = 8 << 20
	// keptWeight is what an Entity weighs beside its data and its key.
	keptWeight = 320
	// placeAge is how long a read vouches for the container that it has shown. A commit under
	// a revision that was kept says nothing about that: a copy of the container may have the
	// same revisions, and wants a new incarnation. Any entity of the container will do, so a
	// busy process reads one in this time.
	placeAge = 5 * time.Second
	// Of keys that nothing is known of, newKeys must have been new beyond all doubt before one is
	// bet on: each that was there counts against newLoss that were not, and luck does not go
	// beyond maxNew, so that it ends soon.
	newKeys = 4
	newLoss = 4
	maxNew  = 8
)

// kept are entities as this process has read or committed them last. They may be old: who
// begins with one commits under its revision, and takes nothing else for true.
type kept struct {
	docs *recent.Cache[Entity]
	none bool // nothing is bet on

	mu     sync.Mutex
	places map[string]time.Time // when a read has shown them last; guarded by mu
	luck   int                  // of bets that a key is new; guarded by mu
}

func newKept(bytes int) *kept {
	return &kept{docs: recent.New[Entity](bytes), none: bytes == 0, places: map[string]time.Time{}}
}

// bet returns the entity to begin with in place of a read, if that is likely to be won. A key that
// nothing is known of may be new. The place of a new entity is the store's to know.
func (k *kept) bet(key string) (Entity, bool) {
	if k.none {
		return Entity{}, false
	}
	if k.docs.Missing(key) {
		return Entity{Key: key}, k.lucky()
	}
	e, ok := k.docs.Bet(key)
	return e, ok && k.vouched(e.Place)
}

func (k *kept) lucky() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.luck >= newKeys
}

// tried notes whether a key that nothing was known of was new.
func (k *kept) tried(isNew bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if isNew {
		k.luck = min(k.luck+1, maxNew)
	} else {
		k.luck = max(k.luck-newLoss, -maxNew)
	}
}

// read keeps what a read has shown that was begun at that time.
func (k *kept) read(e Entity, began time.Time) {
	if k.docs.Missing(e.Key) {
		k.tried(e.Revision == "")
	}
	k.docs.Read(e.Key, e.Revision, e, weightOf(e))
	if e.Moved || e.Place == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for place, seen := range k.places {
		if time.Since(seen) > placeAge {
			delete(k.places, place)
		}
	}
	k.places[e.Place] = began
}

func (k *kept) vouched(place string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.places[place]) <= placeAge
}

// wrote keeps what was committed. An entity without a revision has been replaced since.
func (k *kept) wrote(e Entity) {
	if e.Revision == "" {
		k.docs.Lost(e.Key)
		return
	}
	k.docs.Wrote(e.Key, e.Revision, e, weightOf(e))
}

func (k *kept) lost(key string)   { k.docs.Lost(key) }
func (k *kept) forget(key string) { k.docs.Forget(key) }

func weightOf(e Entity) int { return keptWeight + len(e.Key) + len(e.Data) }
