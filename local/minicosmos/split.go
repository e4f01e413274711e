package minicosmos

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// errSplit: a range cannot be split.
var errSplit = errors.New("split")

// maxLayout bounds the ranges that a container has had.
const maxLayout = 256

// split divides a physical range of a container into two.
func (a *account) split(database, container string, id int) error {
	if !a.enter() {
		return errClosed
	}
	defer a.leave()
	c, bad := a.container(database, container)
	if bad != nil {
		return fmt.Errorf("%w: container %s/%s: %w", errSplit, database, container, bad)
	}
	return a.splitRange(c, id)
}

func (a *account) splitRange(c *container, id int) error {
	c.gate.Lock()
	defer c.gate.Unlock()
	last := c.layout.Load()
	switch {
	case c.dropped:
		return errNotFound
	case id < 0 || id >= len(last.all) || last.all[id].gone:
		return fmt.Errorf("%w: container %s has no range %d: use one of %v", errSplit, c.name, id, last.ids())
	case len(last.all)+2 > maxLayout:
		return fmt.Errorf("%w: container %s has had %d ranges, that is the limit", errSplit, c.name, maxLayout)
	}
	old := last.all[id]
	low, high, ok := c.pk.Halve(old.Range)
	if !ok {
		return fmt.Errorf("%w: range %d of container %s has nothing in its middle", errSplit, id, c.name)
	}
	next, children := last.split(id, low, high)
	return a.store.commit(func(b *pebble.Batch) error {
		for _, child := range children { // no writer is under way
			*child.lastLSN = *old.lastLSN
			child.durableLSN.Store(*old.lastLSN)
		}
		return errors.Join(b.Set(numberedKey(0, kindContainer, c.number), c.encode(*c.properties.Load(), next), nil),
			b.Set(key(c.number, kindNumbers), c.encodeCounters(next), nil))
	}, func() { c.layout.Store(next) })
}
