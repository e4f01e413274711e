package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// settleDoubt bounds the search for the fate of a batch: its members wait for it, and so do
// the requests behind them.
const settleDoubt = 10 * time.Second

// doubtPause is between two looks.
var doubtPause = pace.Backoff{First: 10 * time.Millisecond, Max: time.Second}

// fate is what became of a batch whose answer was lost.
type fate int

const (
	// open: nothing is certain yet. It may still be on its way.
	open fate = iota
	// stored: it is part of the history.
	stored
	// notStored: it is not, and cannot become part of it any more.
	notStored
	// untold: it cannot become part of the history any more, and nothing tells whether it
	// is: another write has replaced the entity, and no member has a receipt.
	untold
)

// settle finds out what became of b, whose answer was lost. Until that is known nothing else
// is sent, and a refusal of its repetition decides nothing: it may be refused by what it has
// stored itself.
func (l *lane) settle(ctx context.Context, b *batch, doubt error) {
	l.w.kept.forget(l.key)
	ctx, cancel := context.WithTimeout(ctx, settleDoubt)
	defer cancel()
	for n := 1; ; n++ {
		what, cur, err := l.fateOf(ctx, b)
		switch what {
		case stored:
			l.committed(b, Revisions{Entity: cur.Revision})
			return
		case notStored:
			l.unsend(b)
			l.cur, l.known = cur, true
			return
		case untold:
			l.forsake(b, doubt)
			l.cur, l.known = cur, true
			return
		}
		if pace.Sleep(ctx, doubtPause.Wait(n, RetryAfterOf(err))) != nil {
			l.fail(b.calls(), doubt)
			return
		}
	}
}

// fateOf looks once. cur is the entity as it is now, its Revision "" where the batch is
// stored and has been replaced since.
func (l *lane) fateOf(ctx context.Context, b *batch) (what fate, cur Entity, err error) {
	if cur, err = l.current(ctx); err != nil {
		return open, cur, err
	}
	switch cur.Revision {
	case b.against():
		// A read does not fence a batch that is still on its way; a replace of the same
		// revision does, and the same batch, repeated as it is, is one.
		made, err := l.w.store.Commit(ctx, b.commit)
		if exists, ok := errors.AsType[*ReceiptExistsError](err); ok {
			return l.fateByReceipt(ctx, b, cur, exists.ID)
		}
		if err != nil {
			return open, cur, err
		}
		cur.Revision = made.Entity
		return stored, cur, nil
	default:
		if cur.Batch == b.commit.Entity.Batch {
			return stored, cur, nil
		}
	}
	if len(b.commit.Receipts) == 0 {
		return untold, cur, nil
	}
	what, cur, err = l.fateByReceipt(ctx, b, cur, b.commit.Receipts[0].ID)
	if what == open && err == nil { // it is not there, and the entity has been replaced
		what = notStored
	}
	return what, cur, err
}

// fateByReceipt asks a receipt that b would have stored. There is a barrier before it: the one
// before the entity's read says nothing about what was stored since. Another batch's receipt
// keeps b out for good.
func (l *lane) fateByReceipt(ctx context.Context, b *batch, cur Entity, id string) (fate, Entity, error) {
	if err := l.w.store.Barrier(ctx, l.key); err != nil {
		return open, cur, err
	}
	r, err := l.w.store.Receipt(ctx, l.key, id)
	switch {
	case err != nil || r == nil:
		return open, cur, err
	case r.Batch == b.commit.Entity.Batch:
		cur.Revision = ""
		return stored, cur, nil
	}
	return notStored, cur, nil
}

// forsake ends the members of b that may have changed something. The others have not, and
// are decided anew.
func (l *lane) forsake(b *batch, doubt error) {
	var lost []*call
	for _, m := range b.members {
		if m.changes {
			lost = append(lost, m.call)
		}
	}
	l.fail(lost, doubt)
	l.unsend(b)
}
