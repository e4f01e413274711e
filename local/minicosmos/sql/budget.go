package sql

import (
	"context"
	"fmt"
)

// budget bounds what a run holds in memory and lets its context end it.
type budget struct {
	ctx     context.Context
	left    int
	steps   int
	limited bool // to so many steps more
	most    int
	failed  error // of an expression, which cannot return it
}

// maxHeld is how many bytes ORDER BY, DISTINCT, GROUP BY and subqueries may hold at a time.
const maxHeld = 64 << 20

// maxBuilt is how many bytes a value may hold that an expression builds, or the arguments of a call together.
const maxBuilt = 4 * maxHeld

func newBudget(ctx context.Context) *budget { return &budget{ctx: ctx, left: maxHeld} }

// limitedBudget is for what nobody waits for who could end it.
func limitedBudget(steps int) *budget {
	return &budget{ctx: context.Background(), left: maxHeld, limited: true, most: steps}
}

// built is called with what an expression has put together so far.
func (b *budget) built(n int) error {
	if n > maxBuilt {
		b.fail(fmt.Errorf("%w: a value of more than %d MB", ErrMemory, maxBuilt>>20))
	}
	return b.failed
}

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
		b.most -= b.steps
		b.steps = 0
		switch {
		case b.ctx.Err() != nil:
			b.fail(context.Cause(b.ctx))
		case b.limited && b.most < 0:
			b.fail(ErrEffort)
		}
	}
	return b.failed
}

// over is called for what goes through values of so many bytes; it tells whether it may.
func (b *budget) over(weight int) bool { return b.work(weight/bytesPerStep) == nil }

// bytesPerStep is how much of a value is gone through in the time of a row.
const bytesPerStep = 4096

// stepsBetween are the rows between two looks at the context.
const stepsBetween = 256

// plainWeight is that of a value without text.
const plainWeight = 80

// weight is about how many bytes a value holds, those counted again that are in it twice. The text of an array or an object
// is that of what is in it.
func (v Value) weight() int {
	if v.kind >= Array {
		return int(v.num)
	}
	return plainWeight + len(v.str)
}

// maxWeight keeps the sums of weights in an int: what is built of itself again and again would soon leave it.
const maxWeight = 1 << 50

// weigh is the weight of an array or, with names, of an object.
func weigh(names []string, items []Value) float64 {
	n := plainWeight
	for _, item := range items {
		n = min(n+item.weight(), maxWeight)
	}
	for _, name := range names {
		n += 16 + len(name)
	}
	return float64(n)
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
