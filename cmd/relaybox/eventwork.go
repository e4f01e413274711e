package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/relaybox/relaybox/outbox"
)

const (
	// keysAtOnce are mended side by side.
	keysAtOnce = 16
	// looks is how often an event is looked at that a dispatcher tries again meanwhile.
	looks = 3
)

// eventWork carries out a verb on page after page of events.
type eventWork struct {
	operator *outbox.Operator
	verb     string
	result   *eventResult
	progress *progress

	mu    sync.Mutex // guards progress and ended
	ended error      // why the run ends early
}

// do acts on a page, in which the events of a key stand in order: keys side by side, each in
// order. An error is the store's, which the other events would meet, too.
func (w *eventWork) do(ctx context.Context, page []outbox.Event) error {
	var keys errgroup.Group
	keys.SetLimit(keysAtOnce)
	for len(page) > 0 {
		n := slices.IndexFunc(page, func(e outbox.Event) bool { return e.Key != page[0].Key })
		if n < 0 {
			n = len(page)
		}
		line := page[:n]
		page = page[n:]
		keys.Go(func() error {
			w.line(ctx, line)
			return nil
		})
	}
	_ = keys.Wait() // they tell end
	return errors.Join(w.ended, w.result.fault())
}

// line acts on events of one key, up to the first that fails.
func (w *eventWork) line(ctx context.Context, events []outbox.Event) {
	for i, e := range events {
		if w.over(ctx) {
			w.left(events[i:])
			return
		}
		outcome, err := w.act(ctx, e)
		w.result.add(e, outcome, err)
		w.mu.Lock()
		w.progress.step()
		w.mu.Unlock()
		if outcome == eventFailed {
			w.end(err)
			w.left(events[i+1:])
			return
		}
	}
}

func (w *eventWork) left(events []outbox.Event) {
	for _, e := range events {
		w.result.add(e, eventLeft, nil)
	}
}

func (w *eventWork) over(ctx context.Context) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended == nil {
		w.ended = ctx.Err()
	}
	return w.ended != nil
}

// end ends the run, unless err is about one event.
func (w *eventWork) end(err error) {
	fault, ofStore := errors.AsType[*outbox.Error](err)
	if !ofStore || fault.Class.Permanent() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended == nil {
		w.ended = fmt.Errorf("%w; run it again when that is mended: it goes on", err)
	}
}

// act does it, and looks again at an event that was not as it was read.
func (w *eventWork) act(ctx context.Context, e outbox.Event) (eventOutcome, error) {
	do, done := w.operator.Redrive, eventRedriven
	if w.verb == "skip" {
		do, done = w.operator.Skip, eventSkipped
	}
	for range looks {
		act, err := do(ctx, e)
		switch {
		case errors.Is(err, outbox.ErrGone):
			return eventGone, nil
		case err != nil && act.State == outbox.ActDone: // and unrecorded
			return done, err
		case err != nil:
			return eventFailed, err
		case act.State == outbox.ActDone:
			return done, nil
		}
		now, err := w.operator.Event(ctx, e.Key, e.Seq)
		switch {
		case errors.Is(err, outbox.ErrGone):
			return eventGone, nil
		case err != nil:
			return eventFailed, err
		case now.ID != e.ID && now.Parked(): // of a container that was made anew
			return eventChanged, nil
		}
		switch state := stateOf(now); {
		case state == statePending:
			return eventPending, nil
		case state == stateSkipped && w.verb != "skip":
			return eventPassed, nil
		}
		e = now
	}
	return eventChanged, nil
}
