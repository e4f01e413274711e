package cosmos

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/relaybox/relaybox/outbox"
)

// rooms are the containers of one side: the one that kinds share, and those of kinds that
// have one of their own.
type rooms struct {
	shared *container
	own    map[string]*container // by kind
	all    []*container          // each once
	turn   *atomic.Uint32        // which of them Find begins with
}

func (c *Client) rooms(database, shared string, own map[string]string) rooms {
	r := rooms{shared: c.container(database, shared), own: map[string]*container{}, turn: new(atomic.Uint32)}
	r.all = append(r.all, r.shared)
	seen := map[*container]bool{r.shared: true}
	for _, kind := range slices.Sorted(maps.Keys(own)) {
		k := c.container(database, own[kind])
		if r.own[kind] = k; !seen[k] {
			seen[k] = true
			r.all = append(r.all, k)
		}
	}
	return r
}

// of is the container of a key, which follows from its kind.
func (r *rooms) of(key string) *container {
	if len(r.own) > 0 {
		kind, _ := outbox.SplitKey(key)
		if k := r.own[kind]; k != nil {
			return k
		}
	}
	return r.shared
}
