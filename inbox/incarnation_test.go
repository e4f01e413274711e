package inbox_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

// of is event seq of an incarnation whose container was made on a day.
func of(id string, first int64, day int, seq int64) inbox.Event {
	e := event(seq)
	e.ID = fmt.Sprintf("%s-%d", id, seq)
	stamp := time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
	e.Incarnation = inbox.Incarnation{ID: id, First: first, Since: stamp, Drawn: stamp}
	return e
}

// drawn is event seq of an incarnation of the one container, drawn at an hour.
func drawn(id string, hour int, seq int64) inbox.Event {
	e := of(id, 1, 1, seq)
	e.Incarnation.Drawn = e.Incarnation.Since.Add(time.Duration(hour) * time.Hour)
	return e
}

// fast is an event of a writer whose clock is days ahead.
func fast(e inbox.Event) inbox.Event {
	e.Incarnation.Drawn = e.Incarnation.Drawn.AddDate(0, 0, 5)
	return e
}

func TestIncarnations(t *testing.T) {
	t.Parallel()
	type step struct {
		e    inbox.Event
		want inbox.Outcome
	}
	for name, c := range map[string]struct {
		steps  []step
		model  string // the numbers applied since the model began
		gaps   int64
		follow int
		refuse int
	}{
		"made anew: the numbers begin again, and so does the model": {
			steps: []step{{of("a", 1, 1, 1), inbox.Applied}, {of("a", 1, 1, 2), inbox.Applied}, {of("b", 1, 2, 1), inbox.Applied}, {of("b", 1, 2, 1), inbox.Duplicate}, {of("b", 1, 2, 2), inbox.Applied}},
			model: "[1,2]", follow: 1,
		},
		"restored: numbers are given out a second time": {
			steps: []step{{of("a", 1, 1, 1), inbox.Applied}, {of("a", 1, 1, 2), inbox.Applied}, {of("a", 1, 1, 3), inbox.Applied}, {of("b", 2, 2, 2), inbox.Applied}, {of("b", 2, 2, 3), inbox.Applied}},
			model: "[1,2,3,2,3]", follow: 1,
		},
		"late copies of the earlier one change nothing": {
			steps: []step{{of("a", 1, 1, 1), inbox.Applied}, {of("b", 1, 2, 1), inbox.Applied}, {of("a", 1, 1, 1), inbox.Superseded}, {of("a", 1, 1, 2), inbox.Superseded}, {of("b", 1, 2, 2), inbox.Applied}},
			model: "[1,2]", follow: 1, refuse: 2,
		},
		"a subscriber that begins in mid-stream": {
			steps: []step{{of("a", 3, 1, 5), inbox.Stored}, {of("a", 3, 1, 6), inbox.Stored}},
			model: "[5,6]", gaps: 2,
		},
		"the first events of the later one are missing": {
			steps: []step{{of("a", 1, 1, 1), inbox.Applied}, {of("b", 1, 2, 3), inbox.Stored}, {of("b", 1, 2, 1), inbox.Applied}},
			model: "[1,3]", gaps: 1, follow: 1,
		},
		"one container, emptied by hand: the later one was drawn later": {
			steps: []step{{drawn("b", 2, 1), inbox.Applied}, {drawn("a", 1, 1), inbox.Superseded}, {drawn("b", 2, 2), inbox.Applied}, {drawn("c", 3, 1), inbox.Applied}, {drawn("b", 2, 3), inbox.Superseded}},
			model: "[1]", follow: 1, refuse: 2,
		},
		"the container's stamp counts before the writer's clock": {
			steps: []step{{fast(of("a", 1, 1, 1)), inbox.Applied}, {of("b", 1, 2, 1), inbox.Applied}, {fast(of("a", 1, 1, 2)), inbox.Superseded}},
			model: "[1]", follow: 1, refuse: 1,
		},
		"events of the earlier one never came": {
			steps: []step{{of("a", 1, 1, 1), inbox.Applied}, {of("b", 4, 2, 5), inbox.Stored}},
			model: "[1,5]", gaps: 3, follow: 1,
		},
		"the first of the later one waits for them": {
			steps: []step{{of("a", 1, 1, 1), inbox.Applied}, {of("b", 4, 2, 4), inbox.Applied}},
			model: "[1,4]", gaps: 2, follow: 1,
		},
		"those of the earlier one come while the later one waits": {
			steps: []step{{of("a", 1, 1, 1), inbox.Applied}, {of("b", 2, 2, 2), inbox.Applied}, {of("b", 2, 2, 4), inbox.Stored}, {of("a", 1, 1, 2), inbox.Superseded}, {of("c", 3, 3, 3), inbox.Applied}, {of("b", 2, 2, 3), inbox.Superseded}},
			model: "[1,2,3]", follow: 2, refuse: 3,
		},
		"a source that begins to tell its incarnation": {
			steps: []step{{event(4), inbox.Applied}, {of("a", 5, 1, 5), inbox.Applied}, {event(6), inbox.Superseded}},
			model: "[4,5]", follow: 1, refuse: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &inboxtest.MemStore{}
				follow, refuse := 0, 0
				in := inbox.New(s, list, inbox.Options{Observer: func(sig inbox.Signal) {
					switch sig.(type) {
					case inbox.Followed:
						follow++
					case inbox.Late:
						refuse++
					}
				}})
				for i, step := range c.steps {
					got, err := in.Once(t.Context(), step.e)
					require.NoError(t, err)
					require.Equal(t, step.want, got, "step %d", i)
				}
				time.Sleep(time.Hour)
				_, err := in.Sweep(t.Context())
				require.NoError(t, err)
				require.NoError(t, s.Check())
				_, m := applied(t, s)
				require.Equal(t, c.model, string(m.Data))
				require.Equal(t, c.gaps, m.Gaps)
				require.Empty(t, m.Early)
				require.Equal(t, c.follow, follow)
				require.Equal(t, c.refuse, refuse)
			})
		})
	}
}
