package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// stuck returns a store with a key of n events, the first of which is parked.
func stuck(t *testing.T, n int) *outboxtest.MemStore {
	t.Helper()
	s := &outboxtest.MemStore{}
	fill(t, s, n, "order:7")
	require.NoError(t, s.Park(t.Context(), s.Events("order:7")[0], outbox.Fault{Reason: "too large", Attempts: 3, Next: time.Now().Add(time.Hour)}))
	return s
}

// parkedEvents are what an operator is shown.
func parkedEvents(t *testing.T, d outbox.Desk) (all []outbox.Event) {
	t.Helper()
	require.NoError(t, d.Waiting(t.Context(), true, func(page []outbox.Event) error {
		all = append(all, page...)
		return nil
	}))
	return all
}

func history(t *testing.T, d outbox.Desk) (all []outbox.Act) {
	t.Helper()
	require.NoError(t, d.History(t.Context(), func(page []outbox.Act) error {
		all = append(all, page...)
		return nil
	}))
	return all
}

func TestRedrive(t *testing.T) {
	t.Parallel()
	s, p := stuck(t, 3), &outboxtest.MemPublisher{}
	e := parkedEvents(t, s)[0]
	act, err := outbox.NewOperator(s, s, "ann", "the limit is higher now").Redrive(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, outbox.ActDone, act.State)
	_, err = outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2, 3}, p.Seqs("order:7"))
	require.NoError(t, outboxtest.CheckDelivered(s, p))
	kept := history(t, s)
	require.Equal(t, []outbox.Act{act}, kept)
	require.Equal(t, outbox.Act{
		ID: act.ID, At: act.At, Author: "ann", Reason: "the limit is higher now", Verb: outbox.VerbRedrive, State: outbox.ActDone,
		Key: "order:7", Seq: 1, Event: e.ID, Type: e.Type, Fault: e.Fault,
	}, act)
}

func TestSkip(t *testing.T) {
	t.Parallel()
	s, p := stuck(t, 3), &outboxtest.MemPublisher{}
	whole := s.Events("order:7")[0]
	act, err := outbox.NewOperator(s, s, "ann", "").Skip(t.Context(), parkedEvents(t, s)[0])
	require.NoError(t, err)
	require.Equal(t, outbox.ActDone, act.State)
	require.JSONEq(t, string(whole.Envelope), string(act.Envelope), "the record is all that has it now")
	_, err = outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
	require.NoError(t, err)
	require.NoError(t, outboxtest.CheckDelivered(s, p))
	marker := p.Log()[0]
	require.Equal(t, whole.ID+"-skipped", marker.ID)
	require.Equal(t, outbox.SkippedType, marker.Type)
	var was, is map[string]any
	require.NoError(t, json.Unmarshal(whole.Envelope, &was))
	require.NoError(t, json.Unmarshal(marker.Envelope, &is))
	was["id"], was["type"] = marker.ID, outbox.SkippedType
	was["data"] = map[string]any{"id": "7", "skipped": map[string]any{"event": whole.ID, "type": whole.Type}}
	require.Equal(t, was, is)
}

// TestTheEndOfAPassedEvent: its key has gone on without it, and its marker comes late.
func TestTheEndOfAPassedEvent(t *testing.T) {
	t.Parallel()
	s, p := stuck(t, 3), &outboxtest.MemPublisher{}
	d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{SkipParked: true})
	_, err := d.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int64{2, 3}, p.Seqs("order:7"))
	e := parkedEvents(t, s)[0]
	require.True(t, e.Fault.Skipped)
	_, err = outbox.NewOperator(s, s, "ann", "").Redrive(t.Context(), e)
	require.ErrorIs(t, err, outbox.ErrPassed)
	act, err := outbox.NewOperator(s, s, "ann", "").Skip(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, outbox.ActDone, act.State)
	fill(t, s, 1, "order:7")
	_, err = d.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int64{2, 3, 1, 4}, p.Seqs("order:7"))
	require.Equal(t, outbox.SkippedType, p.Log()[2].Type)
	require.Empty(t, s.Events("order:7"))
}

// TestWhatCannotBeMended is told as it is, and leaves no record: nothing was begun.
func TestWhatCannotBeMended(t *testing.T) {
	t.Parallel()
	s := stuck(t, 2)
	events := s.Events("order:7")
	passed, gone, odd := events[0], parkedEvents(t, s)[0], events[0]
	passed.Fault = &outbox.Fault{Skipped: true}
	gone.Seq = 9
	odd.Envelope = json.RawMessage(`[]`)
	o := outbox.NewOperator(s, s, "ann", "")
	for name, row := range map[string]struct {
		do   func(context.Context, outbox.Event) (outbox.Act, error)
		e    outbox.Event
		want error
	}{
		"redrive a pending one": {o.Redrive, events[1], outbox.ErrNotParked},
		"skip a pending one":    {o.Skip, events[1], outbox.ErrNotParked},
		"redrive a passed one":  {o.Redrive, passed, outbox.ErrPassed},
		"skip one that is gone": {o.Skip, gone, outbox.ErrGone},
	} {
		act, err := row.do(t.Context(), row.e)
		require.ErrorIs(t, err, row.want, name)
		require.Equal(t, outbox.ActFailed, act.State, name)
	}
	_, err := o.Skip(t.Context(), odd)
	require.ErrorContains(t, err, "no JSON object")
	require.Empty(t, history(t, s))
	require.Equal(t, events, s.Events("order:7"))
}

// TestWhoComesSecondChangesNothing, and the record says so.
func TestWhoComesSecondChangesNothing(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*outbox.Operator, context.Context, outbox.Event) (outbox.Act, error){
		"redrive": (*outbox.Operator).Redrive, "skip": (*outbox.Operator).Skip,
	} {
		s := stuck(t, 2)
		shown, whole := parkedEvents(t, s)[0], s.Events("order:7")[0]
		later := *whole.Fault
		later.Attempts++
		require.NoError(t, s.Park(t.Context(), whole, later)) // a sweep has tried it
		o := outbox.NewOperator(s, s, "ann", "")
		for _, e := range []outbox.Event{shown, whole} {
			act, err := do(o, t.Context(), e)
			require.NoError(t, err, name)
			require.Equal(t, outbox.ActChanged, act.State, name)
		}
		require.Equal(t, later, *s.Events("order:7")[0].Fault, name)
		for _, a := range history(t, s) {
			require.Equal(t, outbox.ActChanged, a.State, name)
		}
	}
}

// faultyDesk breaks a desk on purpose, before or after it has acted.
type faultyDesk struct {
	*outboxtest.MemStore
	before, after func(ctx context.Context, op string) error
}

func (d faultyDesk) around(ctx context.Context, op string, do func() error) error {
	if d.before != nil {
		if err := d.before(ctx, op); err != nil {
			return err
		}
	}
	if err := do(); err != nil || d.after == nil {
		return err
	}
	return d.after(ctx, op)
}

func (d faultyDesk) Release(ctx context.Context, e outbox.Event) error {
	return d.around(ctx, "release", func() error { return d.MemStore.Release(ctx, e) })
}

func (d faultyDesk) Replace(ctx context.Context, e, m outbox.Event) error {
	return d.around(ctx, "replace", func() error { return d.MemStore.Replace(ctx, e, m) })
}

func (d faultyDesk) Halts(ctx context.Context) (h outbox.Halts, err error) {
	err = d.around(ctx, "halts", func() error { h, err = d.MemStore.Halts(ctx); return err })
	return h, err
}

func (d faultyDesk) SetHalts(ctx context.Context, h outbox.Halts, a outbox.Act) error {
	return d.around(ctx, "set halts", func() error { return d.MemStore.SetHalts(ctx, h, a) })
}

func (d faultyDesk) Record(ctx context.Context, a outbox.Act) error {
	return d.around(ctx, "record", func() error { return d.MemStore.Record(ctx, a) })
}

// TestActsThatFail: nothing is done that could not be recorded, and a record never says more
// than is known.
func TestActsThatFail(t *testing.T) {
	t.Parallel()
	failing := func(op string, class outbox.Class, from int) func(context.Context, string) error {
		n := 0
		return func(_ context.Context, at string) error {
			if at == op {
				if n++; n >= from {
					return &outbox.Error{Class: class, Op: op, Err: errors.New("away")}
				}
			}
			return nil
		}
	}
	for name, row := range map[string]struct {
		before, after func(context.Context, string) error
		parked        bool
		state         outbox.ActState // of the record; "" for none
		told          outbox.ActState
	}{
		"no record":        {before: failing("record", outbox.Unavailable, 1), parked: true, told: outbox.ActFailed},
		"not released":     {before: failing("release", outbox.Unavailable, 1), parked: true, state: outbox.ActFailed, told: outbox.ActFailed},
		"perhaps released": {after: failing("release", outbox.Timeout, 1), state: outbox.ActBegun, told: outbox.ActBegun},
		"not told":         {before: failing("record", outbox.Unavailable, 2), state: outbox.ActBegun, told: outbox.ActDone},
	} {
		s := stuck(t, 2)
		d := faultyDesk{s, row.before, row.after}
		act, err := outbox.NewOperator(d, s, "ann", "").Redrive(t.Context(), parkedEvents(t, s)[0])
		require.ErrorContains(t, err, "away", name)
		require.Equal(t, row.told, act.State, name)
		require.Equal(t, row.parked, s.Events("order:7")[0].Parked(), name)
		kept := history(t, s)
		if row.state == "" {
			require.Empty(t, kept, name)
			continue
		}
		require.Len(t, kept, 1, name)
		require.Equal(t, row.state, kept[0].State, name)
	}
}

// TestAnActOutlivesItsCaller: what was done is recorded, whoever has left.
func TestAnActOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	s := stuck(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	d := faultyDesk{MemStore: s, after: func(_ context.Context, op string) error {
		if op == "release" {
			cancel()
		}
		return nil
	}}
	_, err := outbox.NewOperator(d, s, "ann", "").Redrive(ctx, parkedEvents(t, s)[0])
	require.NoError(t, err)
	require.Equal(t, outbox.ActDone, history(t, s)[0].State)
}

// TestAnEventThatIsPutBackGoesFirst: a drain that skips parked events has read this one before an
// operator put it back. It must not send the followers without it.
func TestAnEventThatIsPutBackGoesFirst(t *testing.T) {
	t.Parallel()
	mem, p := stuck(t, 3), &outboxtest.MemPublisher{}
	o := outbox.NewOperator(mem, mem, "ann", "")
	s := &outboxtest.FaultyStore{Storage: mem, Before: func(ctx context.Context, op, _ string) error {
		if op == "park" {
			for _, e := range parkedEvents(t, mem) {
				_, err := o.Redrive(ctx, e)
				require.NoError(t, err)
			}
		}
		return nil
	}}
	d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{SkipParked: true})
	_, _ = d.Drain(t.Context(), "order:7", time.Minute)
	require.Empty(t, p.Seqs("order:7"))
	_, err := d.Sweep(t.Context())
	require.NoError(t, err)
	require.NoError(t, outboxtest.CheckDelivered(mem, p))
}

// TestOperatorsAmongDispatchers: two operators put back and skip what they find parked, and pause a key now and then, while
// instances write, send and die, and everything that is asked of the store may fail before or
// after it was done. When the cause is mended and all that is parked was put back, every number has
// reached the broker, in order.
func TestOperatorsAmongDispatchers(t *testing.T) {
	t.Parallel()
	acts, verbs := map[outbox.ActState]int{}, map[outbox.Verb]int{}
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, a := range operators(t, seed) {
					acts[a.State]++
					verbs[a.Verb]++
				}
			})
		})
	}
	require.NotZero(t, acts[outbox.ActDone])
	require.Len(t, verbs, 4, verbs)
	require.NotZero(t, acts[outbox.ActChanged], "nobody came second: %v", acts)
}

func operators(t *testing.T, seed uint64) []outbox.Act {
	w := newWorld(seed)
	mended := false // guarded by w.mu
	disturbed := w.pub.Fault
	w.pub.Fault = func(ctx context.Context, e outbox.Event) error {
		w.mu.Lock()
		bad := !mended && e.Seq%3 == 0 && e.Key < "key:2" && e.Type != outbox.SkippedType // the other keys prove that it is the events
		w.mu.Unlock()
		if bad {
			return fault(outbox.TooLarge)
		}
		return disturbed(ctx, e)
	}
	desk := faultyDesk{
		MemStore: w.mem,
		before:   func(ctx context.Context, _ string) error { return w.disturb(ctx, outbox.Unavailable) },
		after:    func(ctx context.Context, _ string) error { return w.disturb(ctx, outbox.Timeout) },
	}
	work := func(ctx context.Context, o *outbox.Operator, r *rand.Rand) {
		for ctx.Err() == nil {
			_ = desk.Waiting(ctx, true, func(page []outbox.Event) error {
				for _, e := range page {
					time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond) // a person thinks
					if r.IntN(3) == 0 {
						_, _ = o.Skip(ctx, e)
					} else {
						_, _ = o.Redrive(ctx, e)
					}
				}
				return nil
			})
			paused := fmt.Sprint("key:", r.IntN(5))
			_, _ = o.Pause(ctx, outbox.ScopeKey, paused)
			time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
			_, _ = o.Resume(ctx, outbox.ScopeKey, paused)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	var all sync.WaitGroup
	for id := range 2 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(id)))
			for ctx.Err() == nil {
				life, kill := context.WithTimeout(ctx, time.Duration(20+r.IntN(60))*time.Second)
				w.sender(life, desk)
				kill()
			}
		})
		all.Go(func() {
			work(ctx, outbox.NewOperator(desk, w.store(), fmt.Sprint(id), ""), rand.New(rand.NewPCG(seed, 7+uint64(id))))
		})
	}
	all.Go(func() {
		writer := outbox.NewWriter(w.store(), outbox.WriterOptions{})
		for n := 0; ctx.Err() == nil; n++ {
			w.write(ctx, writer, fmt.Sprint("key:", n%5), fmt.Sprint(n))
			time.Sleep(500 * time.Millisecond)
		}
	})
	all.Wait()
	w.mu.Lock()
	w.faults, mended = false, true
	w.mu.Unlock()
	for _, e := range parkedEvents(t, w.mem) {
		_, err := outbox.NewOperator(desk, w.mem, "last", "").Redrive(t.Context(), e)
		require.NoError(t, err)
	}
	last := outbox.NewOperator(w.mem, w.mem, "last", "")
	stand, err := last.Pauses(t.Context())
	require.NoError(t, err)
	for _, h := range stand { // of operators who were cut
		_, err := last.Resume(t.Context(), h.Scope, h.Name)
		require.NoError(t, err)
	}
	_, err = outbox.NewDispatcher(w.store(), w.pub, outbox.DispatcherOptions{Budget: time.Hour, Halts: w.mem.Halts}).Sweep(t.Context())
	require.NoError(t, err)
	require.NoError(t, outboxtest.CheckDelivered(w.mem, w.pub))
	return history(t, w.mem)
}

// sender sends what there is until ctx kills it.
func (w *world) sender(ctx context.Context, desk outbox.Desk) {
	d := outbox.NewDispatcher(w.store(), w.pub, outbox.DispatcherOptions{Page: 3, Parallel: 3, Budget: 2 * time.Second, Halts: desk.Halts})
	for ctx.Err() == nil {
		_, _ = d.Sweep(ctx)
		time.Sleep(time.Second)
	}
}
