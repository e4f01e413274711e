package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// world is an honest system in memory: it carries out a workload and leaves the
// evidence that a flawless run would leave.
type world struct {
	now   time.Time
	lives map[string]*life
	evidence
}

type life struct {
	state   state
	version int64
	events  []expected
}

func newWorld() *world {
	return &world{
		now: time.Unix(0, 0), lives: map[string]*life{},
		evidence: evidence{attempts: map[string][]attempt{}, store: map[string]partition{}, views: map[string]view{}, list: map[string]*entryDoc{}, kept: map[string]outbox.Entity{}, bus: map[string][]busEvent{}},
	}
}

func (w *world) tick() time.Time {
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

// carryOut does one write. silent loses its answer.
func (w *world) carryOut(t *testing.T, wr write, silent bool) {
	key := wr.key()
	l := w.lives[key]
	if l == nil {
		l = &life{}
		w.lives[key] = l
	}
	want := wr.want
	if l.state == nil && want.verb != put {
		want = wr.instead
	}
	if want.verb == keep {
		want.body = encode(l.state)
	}
	a := attempt{intent: &want, idempotencyKey: wr.idempotencyKey, ifMatch: -1, sent: w.tick()}
	if wr.conditional && l.state != nil {
		a.ifMatch = l.version
	}
	a.outcome, a.status = acknowledged, 200
	if next, err := wr.kind.become(&want, l.state); errors.Is(err, errWrongState) {
		a.outcome, a.status = declined, 409
	} else {
		require.NoError(t, err)
		w.change(wr.kind, wr.id, l, next)
	}
	a.answered = w.tick()
	switch {
	case want.verb == remove && a.outcome == acknowledged:
		a.status = 204
	case a.outcome == acknowledged:
		a.version = l.version
	}
	if silent {
		a.outcome, a.status, a.version = unknown, 0, 0
	}
	w.attempts[key] = append(w.attempts[key], a)
	if wr.twin {
		w.attempts[key] = append(w.attempts[key], a)
	}
}

func (w *world) change(k *kind, id string, l *life, next state) {
	if same(l.state, next) {
		return
	}
	key := k.key(id)
	seen := w.views[key]
	for _, name := range k.events(l.state, next) {
		l.events = append(l.events, expected{name, next, w.now})
		seq := int64(len(l.events))
		event := fmt.Sprintf("%s-event-%d", key, seq)
		w.bus[key] = append(w.bus[key], busEvent{number: w.now.UnixNano() + seq, id: event, name: name, seq: seq, at: w.now, state: next})
	}
	l.state = next
	l.version++
	data := json.RawMessage(nil)
	if next != nil {
		data = encode(next)
	}
	w.store[key] = partition{entity: &entityDoc{Version: l.version, LastSeq: int64(len(l.events)), Deleted: next == nil, Data: data}}
	seen.model = &modelDoc{LastSeq: int64(len(l.events))}
	seen.model.Data.ID, seen.model.Data.State, seen.model.Data.View = id, encode(next), encode(k.view(l.events))
	w.views[key] = seen
	if k == profiles {
		e := &entryDoc{}
		e.LastSeq, e.Data.Address = entryOf(l.events)
		w.list[key] = e
	}
	w.kept[key] = outbox.Entity{Key: key, Version: l.version, Deleted: next == nil, Data: data}
}

func live(t *testing.T, seed uint64, silentPercent int) *world {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := newWorld()
	for _, wr := range plan(rng, 200, 1) {
		wr.id = fmt.Sprintf("demo-%03d", rng.IntN(10)) // few, so that each lives long
		w.carryOut(t, wr, chance(rng, silentPercent))
	}
	return w
}

// longest is the key of the kind's entity that has the most events.
func (w *world) longest(k *kind) string {
	var longest string
	for key, events := range w.bus {
		if of, _ := splitKey(key); of == k && (len(events) > len(w.bus[longest]) || len(events) == len(w.bus[longest]) && key < longest) {
			longest = key
		}
	}
	return longest
}
