package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"
)

// Scope is what an operator pauses.
type Scope string

// The scopes.
const (
	// ScopeAll is the destination: nothing is sent.
	ScopeAll Scope = "all"
	// ScopeKind is all entities of one kind, ScopeKey one entity.
	ScopeKind Scope = "kind"
	ScopeKey  Scope = "key"
)

// Halt is an operator's pause: he wants nothing sent of what it covers. Events are committed as
// ever, and wait.
type Halt struct {
	Scope Scope `json:"scope"`
	// Name is a kind or a key; "" of everything.
	Name   string    `json:"name,omitempty"`
	At     time.Time `json:"at"`
	Author string    `json:"author"`
	Reason string    `json:"reason,omitempty"`
	// Act is the id of the act that has set it.
	Act string `json:"act"`
}

// Covers says whether events of the key wait for the end of the pause.
func (h Halt) Covers(key string) bool {
	switch h.Scope {
	case ScopeAll:
		return true
	case ScopeKind:
		kind, _ := SplitKey(key)
		return kind == h.Name
	}
	return h.Scope == ScopeKey && key == h.Name
}

func (h Halt) same(o Halt) bool { return h.Scope == o.Scope && h.Name == o.Name }

// Halts are all that stand, under the revision that they were read at, "" for none ever.
type Halts struct {
	List     []Halt
	Revision string
}

// errHalted ends a drain whose key an operator has paused.
var errHalted = errors.New("an operator has paused it")

// haltFresh is how long pauses are believed that were read: an instance honours one within that.
const haltFresh = 3 * time.Second

const (
	// haltTime bounds the question, and haltPatience how long those wait for its answer who know an older one.
	haltTime     = 10 * time.Second
	haltPatience = time.Second
	// haltFault is how long a fault of the store is an answer for those who know none.
	haltFault = time.Second
)

// halts are the pauses as a dispatcher knows them. It asks when it has something to send, and
// not otherwise.
type halts struct {
	read   func(context.Context) (Halts, error) // nil: there are none
	flight singleflight.Group                   // of those who ask

	mu    sync.Mutex
	known []Halt    // guarded by mu, as the next
	asked bool      // known was read once
	fault error     // of the last question, until known was read
	until time.Time // the above is fresh
}

// of says whether the key is paused. While the pauses cannot be read, those that were known
// stand, and nobody waits for long; who has never read them is told of the fault.
func (h *halts) of(ctx context.Context, key string) (bool, error) {
	if h.read == nil {
		return false, nil
	}
	known, asked, fault, fresh := h.get()
	if !fresh {
		var patience <-chan time.Time
		if asked {
			patience = time.After(haltPatience)
		}
		select {
		case <-h.flight.DoChan("", func() (any, error) { h.ask(context.WithoutCancel(ctx)); return nil, nil }):
		case <-patience:
			h.believe()
		case <-ctx.Done():
			return false, &Error{Class: Timeout, Op: "read the pauses", Err: context.Cause(ctx)}
		}
		known, _, fault, _ = h.get()
	}
	if fault != nil {
		return false, fault
	}
	return slices.ContainsFunc(known, func(p Halt) bool { return p.Covers(key) }), nil
}

func (h *halts) get() (known []Halt, asked bool, fault error, fresh bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known, h.asked, h.fault, time.Now().Before(h.until)
}

// believe has what is known stand for a while: an answer is late.
func (h *halts) believe() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = time.Now().Add(haltFresh)
}

func (h *halts) ask(ctx context.Context) {
	if _, _, _, fresh := h.get(); fresh {
		return // an earlier flight has landed meanwhile
	}
	ctx, cancel := context.WithTimeout(ctx, haltTime)
	defer cancel()
	began := time.Now()
	found, err := h.read(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		h.known, h.asked, h.fault = found.List, true, nil
		h.until = began.Add(haltFresh)
	case h.asked:
		h.until = time.Now().Add(haltFresh)
	default:
		h.fault, h.until = err, time.Now().Add(haltFault)
	}
}

// maxHaltTries bounds how often an operator who pauses is overtaken by others.
const maxHaltTries = 10

// Pause has every dispatcher leave alone what the scope and name cover, within seconds, and until
// Resume. ActChanged: it was paused before, and that pause stands.
func (o *Operator) Pause(ctx context.Context, scope Scope, name string) (Act, error) {
	act := o.haltAct(VerbPause, scope, name)
	if err := act.Halt.check(); err != nil {
		return act, err
	}
	return o.setHalts(ctx, act, func(list []Halt) ([]Halt, bool) {
		at := slices.IndexFunc(list, act.Halt.same)
		if at >= 0 {
			return nil, false
		}
		return append(slices.Clone(list), *act.Halt), true
	})
}

// Resume ends a pause. ActChanged: there was none of that scope and name.
func (o *Operator) Resume(ctx context.Context, scope Scope, name string) (Act, error) {
	act := o.haltAct(VerbResume, scope, name)
	if err := act.Halt.check(); err != nil {
		return act, err
	}
	return o.setHalts(ctx, act, func(list []Halt) ([]Halt, bool) {
		left := slices.DeleteFunc(slices.Clone(list), act.Halt.same)
		return left, len(left) < len(list)
	})
}

// Pauses are all that stand.
func (o *Operator) Pauses(ctx context.Context) ([]Halt, error) {
	found, err := o.desk.Halts(ctx)
	return found.List, err
}

func (o *Operator) haltAct(v Verb, scope Scope, name string) Act {
	a := Act{ID: uuid.NewString(), At: time.Now().UTC(), Author: o.author, Reason: o.reason, Verb: v, State: ActDone}
	a.Halt = &Halt{Scope: scope, Name: name, At: a.At, Author: o.author, Reason: o.reason, Act: a.ID}
	return a
}

func (h Halt) check() error {
	kind, id := SplitKey(h.Name)
	switch {
	case h.Scope == ScopeAll && h.Name == "", h.Scope == ScopeKind && h.Name != "", h.Scope == ScopeKey && kind != "" && id != "":
		return nil
	case h.Scope == ScopeKey:
		return fmt.Errorf("%q is no key: write KIND:ID", h.Name)
	}
	return fmt.Errorf("nothing has the scope %q and the name %q: it is all, a kind with its name, or a key", h.Scope, h.Name)
}

// setHalts changes the list and records the act with it, in one. Of an act that changes
// nothing there is no record.
func (o *Operator) setHalts(ctx context.Context, act Act, change func([]Halt) (list []Halt, changed bool)) (Act, error) {
	doubt := false
	for range maxHaltTries {
		found, err := o.desk.Halts(ctx)
		if err != nil {
			return act.unlessDone(doubt, err)
		}
		if doubt && act.Verb == VerbPause && slices.ContainsFunc(found.List, func(p Halt) bool { return p.Act == act.ID }) {
			return act, nil // the answer was lost, not the act
		}
		list, changed := change(found.List)
		if !changed {
			if !doubt { // else it was most likely our own doing, and the record says so
				act.State = ActChanged
			}
			return act, nil
		}
		err = o.desk.SetHalts(ctx, Halts{List: list, Revision: found.Revision}, act)
		switch {
		case err == nil:
			return act, nil
		case errors.Is(err, ErrConflict):
		case inDoubt(err):
			doubt = true
		default:
			return act.unlessDone(doubt, err)
		}
	}
	return act.unlessDone(doubt, fmt.Errorf("%s: %w", act.Verb, ErrContended))
}

// unlessDone is an act that has ended with err. doubt: it may have been done before that.
func (a Act) unlessDone(doubt bool, err error) (Act, error) {
	if !doubt {
		return a.vain(err)
	}
	a.State = ActBegun
	return a, fmt.Errorf("it may have been done, or not: %w", err)
}
