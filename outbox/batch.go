package outbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// Limits of one batch: those of Cosmos DB (100 operations, 2 MB), with room for what is
// added to each document.
const (
	maxOperations = 100
	maxBytes      = 1 << 20
)

// batch is a commit with the answers that are given once it has succeeded.
type batch struct {
	from    Entity // what it is made against
	commit  Commit
	members []member
	bytes   int // of events and answers
}

// member is a call with its answer.
type member struct {
	*call
	answer  Answer
	changes bool
}

func (b *batch) against() string { return b.from.Revision }

func (b *batch) calls() []*call {
	calls := make([]*call, len(b.members))
	for i, m := range b.members {
		calls[i] = m.call
	}
	return calls
}

// compose decides the members in order of their arrival, each on the outcome of those before
// it, as long as they fit. The others wait for the next batch, and so does a twin:
// a request under a key that is in the batch already. Who cannot be decided is told.
func (l *lane) compose(ctx context.Context) (*batch, error) {
	b := &batch{from: l.cur, commit: Commit{Key: l.key, Entity: l.cur}}
	b.commit.Entity.Batch = newBatchID()
	now := time.Now().UTC()
	for _, c := range l.members {
		if l.alone > 0 && len(b.members) > 0 {
			break
		}
		if b.has(c.receiptID) {
			continue
		}
		p, err := l.decide(ctx, b, c, now)
		if err != nil {
			return nil, err
		}
		if c.finished() {
			continue
		}
		if !b.add(p) {
			break
		}
	}
	return b, nil
}

// part is what one call adds to a batch.
type part struct {
	member
	next    Entity
	events  []Event
	receipt *Receipt
}

// errKept ends a batch on an entity that was kept and not read: a request wants an end of its
// own, without a commit that would show whether that is what is stored.
var errKept = errors.New("the entity was not read")

// decide asks the call what it does to the entity as the batch leaves it. An error of the
// store ends all, and so does errKept; any other is the call's own end.
func (l *lane) decide(ctx context.Context, b *batch, c *call, now time.Time) (p part, err error) {
	cur := b.commit.Entity
	fail := func(own error) error {
		if l.bet {
			return errKept
		}
		l.finish([]*call{c}, func(c *call) { c.err = own })
		return nil
	}
	defer func() {
		if v := recover(); v != nil { // the caller's own, and told there
			if l.bet {
				err = errKept
				return
			}
			stack := debug.Stack()
			l.finish([]*call{c}, func(c *call) { c.panicked = fmt.Errorf("panic while a request was decided: %v\n%s", v, stack) })
		}
	}()
	dec, err := c.req.Decide(cur)
	if err != nil {
		return p, fail(err)
	}
	p = part{member: member{call: c, changes: dec.changes()}, next: cur}
	if p.changes {
		p.next = successor(cur, dec, now)
		if err := l.incarnate(ctx, cur, &p.next, now); err != nil {
			return p, err
		}
		if p.events, err = l.w.number(c.req, p.next, cur.LastSeq, now, dec.Events); err != nil {
			return p, fail(err)
		}
	}
	if dec.Answer != nil {
		p.answer = *dec.Answer
	} else {
		p.answer = c.req.Render(p.next, dec.Status)
	}
	if c.receiptID != "" && !dec.Forget {
		p.receipt = &Receipt{ID: c.receiptID, RequestHash: c.req.RequestHash, Batch: cur.Batch, Answer: p.answer}
	}
	return p, nil
}

// incarnate gives next the incarnation of cur, or one of its own if this is the entity's
// first write in its container.
func (l *lane) incarnate(ctx context.Context, cur Entity, next *Entity, now time.Time) error {
	if cur.Incarnation.ID != "" && !cur.Moved {
		return nil
	}
	place, err := l.w.store.Place(ctx, l.key)
	if err != nil {
		return err
	}
	next.Incarnation, next.Place, next.Moved = draw(place, cur.LastSeq+1, now), place.ID, false
	return nil
}

// add puts a part into the batch; false if it does not fit beside the others.
func (b *batch) add(p part) bool {
	operations, bytes := 1+len(b.commit.Events)+len(p.events)+len(b.commit.Receipts), b.bytes+len(p.answer.Body)
	if p.receipt != nil {
		operations++
	}
	for _, e := range p.events {
		bytes += len(e.Envelope)
	}
	if len(b.members) > 0 && (operations > maxOperations || bytes > maxBytes) {
		return false
	}
	b.bytes = bytes
	b.commit.Entity = p.next
	b.commit.Events = append(b.commit.Events, p.events...)
	if p.receipt != nil {
		b.commit.Receipts = append(b.commit.Receipts, *p.receipt)
	}
	b.members = append(b.members, p.member)
	return true
}

func (b *batch) has(receiptID string) bool {
	for _, m := range b.members {
		if receiptID != "" && m.receiptID == receiptID {
			return true
		}
	}
	return false
}

// newBatchID is drawn anew for each batch that is composed; its repetition has the same.
func newBatchID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}
