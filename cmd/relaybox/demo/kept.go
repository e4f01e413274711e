package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/relaybox/relaybox/azure/redis"
	"github.com/relaybox/relaybox/outbox"
)

// cachePrefix begins the keys of the cache that instances share: each reaches the store by another
// address.
const cachePrefix = "demo:"

// cacheLife is how long it keeps an entry at least: the app's five minutes, less one for the look.
const cacheLife = 4 * time.Minute

// kept is what the cache has of the entities that are stored.
func (f *fleet) kept(ctx context.Context, of map[string]partition) (map[string]outbox.Entity, error) {
	store, err := redis.Open(redis.Connection{URL: "redis://" + f.cache.Addr()}, redis.Options{Prefix: cachePrefix})
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close() }() // everything ends
	found := map[string]outbox.Entity{}
	for key := range of {
		e, ok, err := store.Get(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("read the cache: %w", err)
		}
		if ok {
			found[key] = e.Entity
		}
	}
	return found, nil
}

// checkKept holds what the cache has of an entity against the store, once all events have been heard. It
// has each that has changed since entries of today may have expired.
func (v *verdict) checkKept(h *history, stored *entityDoc, e evidence, bus []busEvent) {
	kept, ok := e.kept[h.key]
	switch {
	case !ok && len(bus) > 0 && bus[len(bus)-1].at.After(e.keptSince):
		v.broken = append(v.broken, broken(trueCache, "%s: the cache has nothing of it", h.key))
		return
	case !ok:
		return
	}
	v.kept++
	if stored == nil || kept.Version != stored.Version {
		v.broken = append(v.broken, broken(trueCache, "%s: the cache has version %d, and the store has another", h.key, kept.Version))
		return
	}
	last := h.states[len(h.states)-1]
	switch got, err := h.kind.read(kept.Data); {
	case err != nil:
		v.broken = append(v.broken, broken(trueCache, "%s: the state in the cache: %v", h.key, err))
	case kept.Deleted != (last == nil) || !same(got, last):
		v.broken = append(v.broken, broken(trueCache, "%s: the cache has %s, the last write made %s", h.key, show(got), show(last)))
	}
}
