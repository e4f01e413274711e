package explore

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/outbox"
)

// Op is one call of a client, with what it was told.
type Op struct {
	p            *Proc
	name         string
	req          outbox.Request
	begun, ended bool
	// before are the calls that had ended when this one began: they come first in any order.
	before []bool
	answer outbox.Answer
	err    error
}

func (o *Op) begin() {
	o.begun = true
	o.before = make([]bool, len(o.p.w.ops))
	for i, other := range o.p.w.ops {
		o.before[i] = other.ended
	}
}

func (o *Op) end(answer outbox.Answer, err error) {
	o.answer, o.err, o.ended = answer, err, true
}

// told is what the client knows.
func (o *Op) told() told {
	switch {
	case !o.begun:
		return nothing
	case !o.ended, outbox.ClassOf(o.err) == outbox.Ambiguous, errors.Is(o.err, outbox.ErrTwinInFlight):
		return doubt // the last one says that the first of the twins was stored, whoever that is
	case o.err == nil, errors.Is(o.err, outbox.ErrKeyReused):
		return answered
	}
	return nothing
}

type told int

const (
	nothing  told = iota // nothing of it was stored, and nothing will be
	answered             // it took place, with this answer
	doubt                // one of the two
)

// String is the call with its answer.
func (o *Op) String() string {
	switch {
	case !o.begun:
		return o.name + " never began"
	case !o.ended:
		return o.name + " got no answer"
	case o.err != nil:
		return fmt.Sprintf("%s: %v", o.name, o.err)
	}
	return fmt.Sprintf("%s: %d %s", o.name, o.answer.Status, o.answer.ETag)
}

// moment is the state of the one entity between two calls.
type moment struct {
	entity   outbox.Entity
	receipts []outbox.Receipt
	events   []string // data, from the first event after the seed's
}

// reply is what a call is told.
type reply struct {
	answer outbox.Answer
	err    error
}

func (r reply) is(o *Op) bool {
	return errors.Is(o.err, r.err) && r.answer.Status == o.answer.Status && r.answer.ETag == o.answer.ETag
}

// answers says what o would be told here, and what it leaves.
func (m moment) answers(o *Op) (reply, moment) {
	if o.req.IdempotencyKey != "" {
		i := slices.IndexFunc(m.receipts, func(r outbox.Receipt) bool { return r.ID == o.req.IdempotencyKey })
		switch {
		case i >= 0 && m.receipts[i].RequestHash != o.req.RequestHash:
			return reply{err: outbox.ErrKeyReused}, m
		case i >= 0:
			return reply{answer: m.receipts[i].Answer}, m
		}
	}
	d, err := o.req.Decide(m.entity)
	if err != nil {
		return reply{err: err}, m
	}
	if d.Answer == nil && len(d.Events) > 0 {
		m.entity.Version++
		m.entity.Data, m.entity.Deleted = d.Data, d.Deleted
		if d.Deleted {
			m.entity.Data = nil
		}
		for _, e := range d.Events {
			m.entity.LastSeq++
			m.events = append(slices.Clone(m.events), fmt.Sprint(e.Data))
		}
	}
	var answer outbox.Answer
	if d.Answer != nil {
		answer = *d.Answer
	} else {
		answer = o.req.Render(m.entity, d.Status)
	}
	if o.req.IdempotencyKey != "" && !d.Forget {
		m.receipts = append(slices.Clone(m.receipts), outbox.Receipt{ID: o.req.IdempotencyKey, RequestHash: o.req.RequestHash, Answer: answer})
	}
	return reply{answer: answer}, m
}

// linear says whether one order of the calls, true to who ended before whom began, explains
// every answer and what is stored in the end.
func linear(from moment, ops []*Op, taken []bool, is func(moment) bool) bool {
	open := false
	for i, o := range ops {
		if taken[i] || o.told() == nothing {
			continue
		}
		open = open || o.told() == answered
		if slices.ContainsFunc(indexes(o.before), func(j int) bool { return !taken[j] && ops[j].told() == answered }) {
			continue
		}
		told, next := from.answers(o)
		if o.told() == answered && !told.is(o) {
			continue
		}
		taken[i] = true
		if linear(next, ops, taken, is) {
			return true
		}
		taken[i] = false
	}
	return !open && is(from)
}

func indexes(set []bool) (all []int) {
	for i, in := range set {
		if in {
			all = append(all, i)
		}
	}
	return all
}

// honest checks that all answers are true together, and fit what is stored: G0, G1, G2 and
// G11 of the writing side.
func honest(w *World) error {
	first, end := w.Store.history[0], w.Store.now().entity
	for _, o := range w.ops {
		if o.begun && !o.ended && !o.p.dead {
			return fmt.Errorf("G0, true answers: %s, and never will", o)
		}
	}
	var events []string
	for seq := first.entity.LastSeq + 1; seq <= end.LastSeq; seq++ {
		events = append(events, w.Store.dataOf(seq))
	}
	is := func(m moment) bool {
		return m.entity.Version == end.Version && m.entity.LastSeq == end.LastSeq && m.entity.Deleted == end.Deleted &&
			string(m.entity.Data) == string(end.Data) && slices.Equal(m.events, events)
	}
	if linear(moment{entity: first.entity}, w.ops, make([]bool, len(w.ops)), is) {
		return nil
	}
	texts := make([]string, len(w.ops))
	for i, o := range w.ops {
		texts[i] = o.String()
	}
	return fmt.Errorf("G0, true answers: no order explains %s, with %s stored and the events %q", strings.Join(texts, "; "), w.Store.now().short(), events)
}

// dataOf is the data of the event of that number, as it was committed.
func (s *Store) dataOf(seq int64) string {
	for _, e := range s.sent {
		if e.Seq == seq {
			var envelope struct{ Data string }
			if err := json.Unmarshal(e.Envelope, &envelope); err != nil {
				return err.Error()
			}
			return envelope.Data
		}
	}
	return "none"
}
