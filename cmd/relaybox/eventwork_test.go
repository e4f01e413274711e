package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// trickyDesk does something before events are put back and before acts are recorded.
type trickyDesk struct {
	*outboxtest.MemStore
	release func(outbox.Event) error
	record  func(outbox.Act) error
}

func (d *trickyDesk) Release(ctx context.Context, e outbox.Event) error {
	if err := d.release(e); err != nil {
		return err
	}
	return d.MemStore.Release(ctx, e)
}

func (d *trickyDesk) Record(ctx context.Context, a outbox.Act) error {
	if err := d.record(a); err != nil {
		return err
	}
	return d.MemStore.Record(ctx, a)
}

// parkedPage is a page of parked events: keys with n each.
func parkedPage(t *testing.T, s *outboxtest.MemStore, n int, keys ...string) (page []outbox.Event) {
	t.Helper()
	for _, key := range keys {
		c := outbox.Commit{Key: key, Entity: outbox.Entity{Key: key, Version: 1, LastSeq: int64(n)}}
		for seq := range int64(n) {
			c.Events = append(c.Events, outbox.Event{Key: key, Seq: seq + 1, ID: fmt.Sprint(key, seq), Envelope: []byte(`{}`), CreatedAt: time.Now()})
		}
		_, err := s.Commit(t.Context(), c)
		require.NoError(t, err)
		stored, err := s.Pending(t.Context(), key, 0, n)
		require.NoError(t, err)
		for _, e := range stored {
			require.NoError(t, s.Park(t.Context(), e, tooLarge))
		}
		stored, err = s.Pending(t.Context(), key, 0, n)
		require.NoError(t, err)
		page = append(page, stored...)
	}
	return page
}

// redrive puts a page back, and returns what was told of it.
func (d *trickyDesk) redrive(t *testing.T, page []outbox.Event) (*eventResult, error) {
	t.Helper()
	if d.release == nil {
		d.release = func(outbox.Event) error { return nil }
	}
	if d.record == nil {
		d.record = func(outbox.Act) error { return nil }
	}
	r := newEventResult(io.Discard, false, "redrive", false)
	w := &eventWork{operator: outbox.NewOperator(d, d, "ada", ""), verb: "redrive", result: r, progress: &progress{out: io.Discard}}
	return r, w.do(t.Context(), page)
}

// TestARunEndsWithItsStore: what nobody could put back now is left, and said to be.
func TestARunEndsWithItsStore(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	keys := make([]string, 3*keysAtOnce)
	for i := range keys {
		keys[i] = fmt.Sprintf("profile:%02d", i)
	}
	page := parkedPage(t, s, 2, keys...)
	away := &outbox.Error{Class: outbox.Unavailable, Op: "put back"}
	d := &trickyDesk{MemStore: s, release: func(e outbox.Event) error {
		if e.Key == keys[0] {
			return away
		}
		return nil
	}}
	r, err := d.redrive(t, page)
	require.ErrorIs(t, err, error(away))
	require.ErrorContains(t, err, "run it again")
	require.Equal(t, 1, r.counts[eventFailed])
	require.NotZero(t, r.counts[eventLeft], "the second of that key at least")
	require.Equal(t, len(page), r.counts[eventFailed]+r.counts[eventLeft]+r.counts[eventRedriven], "each is told of once")

	// It is back: the next run has all the rest to do.
	d.release = nil
	r, err = d.redrive(t, page)
	require.NoError(t, err)
	require.Equal(t, map[eventOutcome]int{eventRedriven: len(page)}, r.counts, "what is done already is a success")
}

// TestAFaultOfOneEvent holds up its key only.
func TestAFaultOfOneEvent(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	page := parkedPage(t, s, 3, "profile:a", "profile:b")
	d := &trickyDesk{MemStore: s, release: func(e outbox.Event) error {
		if e.Key == "profile:a" && e.Seq == 2 {
			return &outbox.Error{Class: outbox.Rejected, Op: "put back"}
		}
		return nil
	}}
	r, err := d.redrive(t, page)
	require.NoError(t, err)
	require.Equal(t, map[eventOutcome]int{eventRedriven: 4, eventFailed: 1, eventLeft: 1}, r.counts)
	require.Equal(t, exitStatus(exitFailed), r.finish(nil))
}

// TestEventsThatChangeMeanwhile: dispatchers and other operators work on, and none of that is a
// fault.
func TestEventsThatChangeMeanwhile(t *testing.T) {
	t.Parallel()
	again := tooLarge
	again.Attempts++
	for name, c := range map[string]struct {
		meanwhile func(s *outboxtest.MemStore, e outbox.Event, once bool) error
		want      eventOutcome
		err       error
	}{
		"refused again": {func(s *outboxtest.MemStore, e outbox.Event, once bool) error {
			if !once {
				return nil
			}
			return s.Park(t.Context(), e, again)
		}, eventRedriven, nil},
		"refused over and over": {func(s *outboxtest.MemStore, e outbox.Event, _ bool) error { return s.Park(t.Context(), e, again) }, eventChanged, exitStatus(exitFailed)},
		"sent": {func(s *outboxtest.MemStore, e outbox.Event, _ bool) error {
			return s.Settle(t.Context(), e.Key, []outbox.Event{e})
		}, eventGone, nil},
		"passed": {func(s *outboxtest.MemStore, e outbox.Event, once bool) error {
			if !once {
				return nil
			}
			return s.Park(t.Context(), e, passed)
		}, eventPassed, exitStatus(exitFailed)},
		"put back by another": {func(s *outboxtest.MemStore, e outbox.Event, once bool) error {
			if !once {
				return nil
			}
			return s.Release(t.Context(), e)
		}, eventRedriven, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &outboxtest.MemStore{}
			page := parkedPage(t, s, 1, "profile:a")
			once := true
			d := &trickyDesk{MemStore: s, release: func(e outbox.Event) error {
				err := c.meanwhile(s, e, once)
				once = false
				return err
			}}
			r, err := d.redrive(t, page)
			require.NoError(t, err)
			require.Equal(t, map[eventOutcome]int{c.want: 1}, r.counts)
			require.Equal(t, c.err, r.finish(nil))
		})
	}
}

// TestWhatIsNotRecorded is not begun, and what was done all the same is said.
func TestWhatIsNotRecorded(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	page := parkedPage(t, s, 1, "profile:a")
	full := &outbox.Error{Class: outbox.Throttled, Op: "record"}
	d := &trickyDesk{MemStore: s, record: func(a outbox.Act) error {
		if a.State == outbox.ActBegun {
			return full
		}
		return nil
	}}
	r, err := d.redrive(t, page)
	require.ErrorIs(t, err, error(full))
	require.Equal(t, map[eventOutcome]int{eventFailed: 1}, r.counts)
	require.True(t, page[0].Parked())

	d.record = func(a outbox.Act) error {
		if a.State == outbox.ActDone {
			return full
		}
		return nil
	}
	r, err = d.redrive(t, page)
	require.NoError(t, err)
	require.Equal(t, map[eventOutcome]int{eventRedriven: 1}, r.counts)
	require.ErrorContains(t, r.finish(nil), "not everything could be recorded")
}

// TestAClosedPipe ends a run: nobody hears what it does any more.
func TestAClosedPipe(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe()
	require.NoError(t, in.Close())
	r := newEventResult(out, true, "redrive", false)
	r.add(outbox.Event{Key: "k", Seq: 1}, eventRedriven, nil)
	require.ErrorIs(t, r.fault(), io.ErrClosedPipe)
	require.ErrorIs(t, r.finish(nil), io.ErrClosedPipe)
}

func TestProgress(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	long := time.Now().Add(-time.Minute)
	p := &progress{out: &out, last: long}
	p.step()
	p.step()
	require.Equal(t, "1 so far\n", out.String(), "now and then")
	p = &progress{out: &out, last: long, total: 2}
	p.step()
	p.last = long
	p.step()
	require.Equal(t, "1 so far\n1 of 2\n", out.String(), "the end is the result's")
}
