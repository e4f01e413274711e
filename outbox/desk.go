package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Desk is the operators' port on the same store. What it changes, dispatchers find by
// themselves.
type Desk interface {
	// Waiting visits, page by page and in no order, all events that are stored: the parked
	// ones, or the pending ones. They come without Envelope and Content; Queue.Pending has
	// those. It stops with the error that visit returns.
	Waiting(ctx context.Context, parked bool, visit func([]Event) error) error
	// Release puts a parked event back into the flow. One that is pending already is a
	// success; ErrConflict says that it is gone, or not as e has it any more. Class Ambiguous: it
	// may have been done.
	Release(ctx context.Context, e Event) error
	// Replace puts marker, pending, in the place of the parked event e, of the same key and
	// number. A marker with that ID that is there already is a success; ErrConflict as above.
	Replace(ctx context.Context, e, marker Event) error
	// Halts returns what operators have paused, and SetHalts replaces it under its revision,
	// with the record of the act, all or nothing. ErrConflict: it is not at that revision any
	// more. Class Ambiguous: it may have been stored.
	Halts(ctx context.Context) (Halts, error)
	SetHalts(ctx context.Context, h Halts, a Act) error
	// Record keeps what an operator does. A second one of the same ID replaces the first.
	Record(ctx context.Context, a Act) error
	// History visits the records, page by page, the newest first.
	History(ctx context.Context, visit func([]Act) error) error
}

// Verb is what an operator does.
type Verb string

// The verbs.
const (
	VerbRedrive Verb = "redrive"
	VerbSkip    Verb = "skip"
	VerbPause   Verb = "pause"
	VerbResume  Verb = "resume"
	VerbDrop    Verb = "drop"   // of a dead letter
	VerbReplay  Verb = "replay" // of a kind
)

// ActState is how far an act has come.
type ActState string

// The states of an act.
const (
	// ActBegun: it was recorded first; if it stays so, its operator has died or lost the store, and
	// nobody knows whether it was done.
	ActBegun ActState = "begun"
	ActDone  ActState = "done"
	// ActChanged: nothing was done, because the event was not as it was shown to the operator: it
	// was sent meanwhile, or somebody else has acted on it.
	ActChanged ActState = "changed"
	// ActFailed: nothing was done; Error says why.
	ActFailed ActState = "failed"
)

// DeadLetter is one that an operator has acted on, in the queue of a subscription.
type DeadLetter struct {
	Queue     string `json:"queue"`
	Number    int64  `json:"sequenceNumber"`
	MessageID string `json:"messageId"`
	SentAs    string `json:"sentAs,omitempty"` // the message id of its copy
}

// Act is the record of what an operator did: to one event, to a dead letter, or with a pause.
type Act struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Author string    `json:"author"`
	Reason string    `json:"reason,omitempty"`
	Verb   Verb      `json:"verb"`
	State  ActState  `json:"state"`
	Error  string    `json:"error,omitempty"`
	Halt   *Halt     `json:"pause,omitempty"` // what is paused, or was
	Key    string    `json:"key,omitempty"`
	Seq    int64     `json:"seq,omitempty"`
	Event  string    `json:"event,omitempty"` // its id
	Type   string    `json:"type,omitempty"`
	Fault  *Fault    `json:"fault,omitempty"` // as it was before the act
	// ReplayFor is the subscription that a kind was replayed for; the Type is that of the snapshots.
	ReplayFor string `json:"replayFor,omitempty"`
	// DeadLetter is what it was done to, if that was no event of the outbox.
	DeadLetter *DeadLetter `json:"deadLetter,omitempty"`
	// Envelope is a skipped event's, which is stored nowhere else any more.
	Envelope json.RawMessage `json:"envelope,omitempty"`
}

// Operator acts on single events, and records what it does before and after it; and it pauses
// what is sent.
type Operator struct {
	desk   Desk
	queue  Queue
	author string
	reason string
}

// NewOperator returns who acts on d, and on the queue of the same store, with what the records
// are to say.
func NewOperator(d Desk, q Queue, author, reason string) *Operator {
	return &Operator{desk: d, queue: q, author: author, reason: reason}
}

// Sentinels of the operator.
var (
	// ErrNotParked: the event is pending, so there is nothing to mend.
	ErrNotParked = errors.New("the event is pending: it goes out by itself")
	// ErrPassed: its key went on without the event (SkipParked). Sent now, it would come after
	// its followers.
	ErrPassed = errors.New("the key of the event has gone on without it")
	// ErrGone: there is no such event any more.
	ErrGone = errors.New("the event is not stored any more")
)

// Redrive puts a parked event back into the flow, in its place before its followers. A
// dispatcher sends it within seconds; if it is refused again, it is parked again. The act says
// what became of it, and its State says whether anything was done; an error is one of the
// store's, or of this package.
func (o *Operator) Redrive(ctx context.Context, e Event) (Act, error) {
	act := o.act(VerbRedrive, e)
	switch {
	case !e.Parked():
		return act.vain(fmt.Errorf("event %d of %q: %w", e.Seq, e.Key, ErrNotParked))
	case e.Fault.Skipped:
		return act.vain(fmt.Errorf("event %d of %q: %w", e.Seq, e.Key, ErrPassed))
	}
	return o.carryOut(ctx, act, func(ctx context.Context) error { return o.desk.Release(ctx, e) })
}

// Skip has a marker of SkippedType sent in the place of a parked event, so that its followers
// go out and no consumer waits for it. The event itself is never sent, unless its dispatcher was
// sending it at this moment; the record keeps it. It is also the end of an event whose key has gone
// on without it: the marker comes late, and consumers that still wait go on.
func (o *Operator) Skip(ctx context.Context, e Event) (Act, error) {
	act := o.act(VerbSkip, e)
	if !e.Parked() {
		return act.vain(fmt.Errorf("event %d of %q: %w", e.Seq, e.Key, ErrNotParked))
	}
	if e.Envelope == nil {
		whole, err := o.Event(ctx, e.Key, e.Seq)
		if err != nil {
			return act.vain(err)
		}
		if whole.Revision != e.Revision {
			act.State = ActChanged
			return act, nil
		}
		e = whole
	}
	marker, err := e.marker()
	if err != nil {
		return act.vain(err)
	}
	act.Envelope = e.Envelope
	return o.carryOut(ctx, act, func(ctx context.Context) error { return o.desk.Replace(ctx, e, marker) })
}

// Event reads an event whole. ErrGone: it is not there.
func (o *Operator) Event(ctx context.Context, key string, seq int64) (Event, error) {
	page, err := o.queue.Pending(ctx, key, seq-1, 1)
	if err != nil {
		return Event{}, err
	}
	if len(page) == 0 || page[0].Seq != seq {
		return Event{}, fmt.Errorf("event %d of %q: %w", seq, key, ErrGone)
	}
	return page[0], nil
}

// vain is an act that was not begun.
func (a Act) vain(err error) (Act, error) {
	a.State = ActFailed
	return a, err
}

func (o *Operator) act(v Verb, e Event) Act {
	return Act{
		ID: uuid.NewString(), At: time.Now().UTC(), Author: o.author, Reason: o.reason,
		Verb: v, State: ActBegun, Key: e.Key, Seq: e.Seq, Event: e.ID, Type: e.Type, Fault: e.Fault,
	}
}

// recordTime bounds the record of what was done, which outlives its caller.
const recordTime = 10 * time.Second

// carryOut records the act, does it, and records what came of it. What cannot be recorded is
// not begun.
func (o *Operator) carryOut(ctx context.Context, a Act, do func(context.Context) error) (Act, error) {
	if err := o.desk.Record(ctx, a); err != nil {
		a.State = ActFailed
		return a, fmt.Errorf("record the act before it is done: %w", err)
	}
	err := do(ctx)
	switch {
	case err == nil:
		a.State = ActDone
	case errors.Is(err, ErrConflict):
		a.State, err = ActChanged, nil
	case inDoubt(err) || ctx.Err() != nil:
		a.Error = err.Error()
	default:
		a.State, a.Error = ActFailed, err.Error()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	if unrecorded := o.desk.Record(ctx, a); unrecorded != nil {
		err = errors.Join(err, fmt.Errorf("%s, and its record still says %s: %w", a.State, ActBegun, unrecorded))
	}
	return a, err
}

// inDoubt says whether what failed may have been done all the same.
func inDoubt(err error) bool {
	switch ClassOf(err) {
	case Ambiguous, Timeout, Unclassified:
		return true
	}
	return false
}
