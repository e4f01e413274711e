package account

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// ErrSplit: a range cannot be split.
var ErrSplit = errors.New("split")

// maxLayout bounds the ranges that a container has had.
const maxLayout = 256

// Split divides a physical range of a container into two.
func (a *Account) Split(database, container string, id int) error {
	if !a.Enter() {
		return refusal.Closed
	}
	defer a.Leave()
	c, bad := a.Container(database, container)
	if bad != nil {
		return fmt.Errorf("%w: container %s/%s: %w", ErrSplit, database, container, bad)
	}
	return a.SplitRange(c, id)
}

// SplitRange is Split for whoever has the container and is inside.
func (a *Account) SplitRange(c *Container, id int) error {
	c.gate.Lock()
	defer c.gate.Unlock()
	last := c.layout.Load()
	switch {
	case c.dropped:
		return refusal.NotFound
	case id < 0 || id >= len(last.All) || last.All[id].Gone:
		return fmt.Errorf("%w: container %s has no range %d: use one of %v", ErrSplit, c.name, id, last.IDs())
	case len(last.All)+2 > maxLayout:
		return fmt.Errorf("%w: container %s has had %d ranges, that is the limit", ErrSplit, c.name, maxLayout)
	}
	old := last.All[id]
	low, high, ok := c.PK.Halve(old.Range)
	if !ok {
		return fmt.Errorf("%w: range %d of container %s has nothing in its middle", ErrSplit, id, c.name)
	}
	next, children := last.Split(id, low, high)
	return a.store.Commit(func(b *pebble.Batch) error {
		for _, child := range children { // no writer is under way
			*child.LastLSN = *old.LastLSN
			child.DurableLSN.Store(*old.LastLSN)
		}
		return errors.Join(b.Set(numberedKey(0, kindContainer, c.Number), c.encode(*c.properties.Load(), next), nil),
			b.Set(document.Key(c.Number, kindNumbers), c.encodeCounters(next), nil))
	}, func() { c.layout.Store(next) })
}
