package sql

import (
	"context"
	"fmt"
)

// budget bounds what a run holds in memory and lets its context end it.
type budget struct {
	ctx    context.Context
	left   int
	steps  int
	failed error // of an expression, which cannot return it
}

// maxHeld is how many bytes ORDER BY, DISTINCT, GROUP BY and subqueries may hold at a time.
const maxHeld = 64 << 20

func newBudget(ctx context.Context) *budget { return &budget{ctx: ctx, left: maxHeld} }

func (b *budget) hold(n int) error {
	if b.left -= n; b.left < 0 {
		b.fail(fmt.Errorf("%w: more than %d MB", ErrMemory, maxHeld>>20))
	}
	return b.failed
}

func (b *budget) fail(err error) {
	if b.failed == nil {
		b.failed = err
	}
}

// step is called once per row.
func (b *budget) step() error { return b.work(1) }

// work is called for what takes as long as n rows; now and then it looks at the context.
func (b *budget) work(n int) error {
	if b.steps += n; b.steps >= stepsBetween {
		b.steps = 0
		if b.ctx.Err() != nil {
			b.fail(context.Cause(b.ctx))
		}
	}
	return b.failed
}

// stepsBetween are the rows between two looks at the context.
const stepsBetween = 256

// weight is about how many bytes a value holds.
func (v Value) weight() int {
	n := 80
	if v.kind < Array { // the text of an array or an object is that of what is in it
		n += len(v.str)
	}
	for i, item := range v.items {
		n += item.weight()
		if i < len(v.names) {
			n += 16 + len(v.names[i])
		}
	}
	return n
}

// weight is about how many bytes a result holds.
func (r *result) weight() int {
	n := 64 + r.value.weight()
	for _, key := range r.keys {
		n += key.weight()
	}
	for _, marks := range r.marks {
		n += 24 + 8*len(marks)
	}
	return n
}
