package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// maxRounds bounds how often one Write loads and decides anew. Each round that
// ends in a conflict means that another writer has made progress.
const maxRounds = 12

// conflictPause spreads writers that collide.
var conflictPause = pace.Backoff{First: 2 * time.Millisecond, Max: 256 * time.Millisecond}

// Request is one change that a client asks for.
type Request struct {
	Key string
	// Invocation is the host's id of this delivery: a second delivery under the same
	// id gets the first one's answer.
	Invocation string
	// IdempotencyKey is the client's own id of the request, "" when it sent none.
	// RequestHash tells a repetition from another request under the same key.
	IdempotencyKey string
	RequestHash    string
	Trace          Trace
	// Decide looks at the current entity and says what is to happen. It may run
	// several times and must not keep anything. An error ends the write and is
	// returned as it is, but for ErrStaleRead, which loads again.
	Decide func(cur Entity) (Decision, error)
	// Render makes the client's answer from the entity as it is after the write.
	Render func(e Entity, status int) Answer
}

// Decision is what a request does to an entity.
type Decision struct {
	// Status is the HTTP status of the answer.
	Status int
	// Data is the entity's new content; Deleted leaves a tombstone instead.
	Data    json.RawMessage
	Deleted bool
	// Events tell the world. None means that nothing changes: the entity is left
	// alone, and only a receipt is stored.
	Events []Draft
}

// Draft is an event before it has its number.
type Draft struct {
	// Type is the CloudEvents type.
	Type string
	// Data becomes the CloudEvents data, encoded as JSON.
	Data any
}

// WriterOptions configures a Writer; the zero value works but for Source.
type WriterOptions struct {
	// Source is the CloudEvents source, a URI reference. The kind of the entity is added to
	// it: "/relaybox" becomes "/relaybox/profile".
	Source string
	// MaxEventBytes bounds an event's envelope; default 245,760: what Service Bus
	// Standard takes (262,144) less room for the message's own properties.
	MaxEventBytes int
	// Committed is called after a commit that made events. It must not block.
	Committed func(key string)
	Observer  Observer
}

// Writer commits entities together with their events. It holds no state: any
// number of writers in any number of processes may work on the same keys.
type Writer struct {
	store Store
	opts  WriterOptions
}

// NewWriter returns a Writer on store.
func NewWriter(store Store, opts WriterOptions) *Writer {
	if opts.MaxEventBytes == 0 {
		opts.MaxEventBytes = 240 << 10
	}
	if opts.Committed == nil {
		opts.Committed = func(string) {}
	}
	return &Writer{store: store, opts: opts}
}

// Write carries out one request: nothing of it is stored, or all of it, once.
//
// It returns what Decide returned, ErrKeyReused, ErrTwinInFlight, ErrContended,
// *EventTooLargeError, or an *Error. After class Ambiguous the change may have been
// stored; after any other error nothing was.
func (w *Writer) Write(ctx context.Context, req Request) (Answer, error) {
	t := attempt{w: w, req: req}
	if req.IdempotencyKey != "" {
		t.receiptID = ReceiptDocID(req.IdempotencyKey)
	}
	var last error
	for round := range maxRounds {
		if round > 0 {
			if err := pace.Sleep(ctx, conflictPause.Spread(round)); err != nil {
				return Answer{}, errors.Join(last, err)
			}
		}
		answer, err := t.once(ctx)
		if err == nil || !t.again(err) {
			return answer, err
		}
		last = err
	}
	switch {
	case t.unsure != nil:
		return Answer{}, t.unsure
	case errors.Is(last, ErrReceiptExists):
		return Answer{}, ErrTwinInFlight
	}
	return Answer{}, fmt.Errorf("write %q: %w", req.Key, ErrContended)
}

// attempt is one Write with what it learned in earlier rounds.
type attempt struct {
	w         *Writer
	req       Request
	receiptID string
	// unsure is the Ambiguous error of an earlier round's commit, and unsureOf the
	// revision it was made against.
	unsure   error
	unsureOf string
}

func (t *attempt) again(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrReceiptExists) || errors.Is(err, ErrStaleRead) || errors.Is(err, errUnsure)
}

// once loads, decides and commits.
func (t *attempt) once(ctx context.Context) (Answer, error) {
	cur, receipt, err := t.w.store.Load(ctx, t.req.Key, t.receiptID)
	if err != nil {
		return Answer{}, errors.Join(t.unsure, err)
	}
	if receipt != nil {
		return t.replay(receipt)
	}
	if t.req.Invocation != "" && cur.LastInvocation == t.req.Invocation {
		return t.req.Render(cur, cur.LastStatus), nil
	}
	if t.unsure != nil && cur.Revision != t.unsureOf {
		// Somebody wrote after the commit whose answer was lost, so nothing tells
		// any more whether that commit is part of the history.
		return Answer{}, t.unsure
	}
	dec, err := t.req.Decide(cur)
	if err != nil {
		return Answer{}, err
	}
	return t.commit(ctx, cur, dec)
}

func (t *attempt) replay(r *Receipt) (Answer, error) {
	if r.RequestHash != t.req.RequestHash {
		return Answer{}, ErrKeyReused
	}
	t.w.opts.Observer.tell(Replayed{t.req.Key})
	return r.Answer, nil
}

func (t *attempt) commit(ctx context.Context, cur Entity, dec Decision) (Answer, error) {
	batch := Commit{Key: t.req.Key}
	next := cur
	if len(dec.Events) > 0 {
		next = successor(cur, dec, t.req.Invocation, time.Now().UTC())
		if err := t.incarnate(ctx, cur, &next); err != nil {
			return Answer{}, errors.Join(t.unsure, err)
		}
		events, err := t.w.number(t.req, next.Incarnation, cur.LastSeq, next.UpdatedAt, dec.Events)
		if err != nil {
			return Answer{}, err
		}
		batch.Entity, batch.Events = &next, events
	}
	answer := t.req.Render(next, dec.Status)
	if t.receiptID != "" {
		batch.Receipt = &Receipt{ID: t.receiptID, RequestHash: t.req.RequestHash, Answer: answer}
	}
	if batch.Entity == nil && batch.Receipt == nil {
		return answer, nil
	}
	if _, err := t.w.store.Commit(ctx, batch); err != nil {
		return Answer{}, t.failed(err, cur)
	}
	if len(batch.Events) > 0 {
		if cur.Moved {
			t.w.opts.Observer.tell(Moved{Key: t.req.Key, From: cur.Incarnation, To: next.Incarnation})
		}
		t.w.opts.Observer.tell(Committed{batch.Events})
		t.w.opts.Committed(t.req.Key)
	}
	return answer, nil
}

// incarnate gives next the incarnation of cur, or one of its own if this is the entity's
// first write in its container.
func (t *attempt) incarnate(ctx context.Context, cur Entity, next *Entity) error {
	if cur.Incarnation.ID != "" && !cur.Moved {
		return nil
	}
	place, err := t.w.store.Place(ctx, t.req.Key)
	if err != nil {
		return err
	}
	next.Incarnation, next.Place, next.Moved = draw(place, cur.LastSeq+1, next.UpdatedAt), place.ID, false
	return nil
}

// failed turns an ambiguous commit into a further round, because the next load may
// tell what became of it. A repetition is safe: both are made against the same
// revision, so at most one of them is ever applied.
func (t *attempt) failed(err error, cur Entity) error {
	if ClassOf(err) != Ambiguous {
		// A lagging replica may have shown the entity as it was before the commit in
		// doubt, so a failure of this round clears nothing up.
		return errors.Join(t.unsure, err)
	}
	t.unsure, t.unsureOf = err, cur.Revision
	return fmt.Errorf("%w: %w", errUnsure, err)
}

func successor(cur Entity, dec Decision, invocation string, now time.Time) Entity {
	next := cur
	next.Version++
	next.LastSeq += int64(len(dec.Events))
	next.LastInvocation, next.LastStatus = invocation, dec.Status
	next.Deleted, next.Data = dec.Deleted, dec.Data
	if dec.Deleted {
		next.Data = nil
	}
	next.UpdatedAt = now
	return next
}
