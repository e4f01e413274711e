package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/relaybox/relaybox/cmd/relaybox/doctor"
	"github.com/relaybox/relaybox/cmd/relaybox/page"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/outbox"
)

const (
	// lookPatience is how long a look repeats what the store does not answer: the next one comes soon.
	lookPatience = 500 * time.Millisecond
	// maxCounted bounds what one look reads of the pending events, and of the parked ones.
	maxCounted = 10_000
	// maxListed bounds the lists of the page, and maxPeeked the dead letters that are read for one.
	maxListed = 50
	maxPeeked = 1000
)

// pageSource is what the page of up shows: the store as relaybox status finds it, over its network,
// and the bus from inside, because it is in this process.
type pageSource struct {
	stack *stack.Stack
	heard *follower
	where doctor.Options
	desk  *desk     // for looks
	out   io.Writer // for records that the store does not take

	acts   sync.Mutex // held by what changes something: one after another
	faults sync.Mutex // held while switches are read, or changed
}

// newPageSource opens the stack that runs on a data folder. The caller closes its desk.
func newPageSource(s *stack.Stack, data string, heard *follower, out io.Writer) (*pageSource, error) {
	p := &pageSource{stack: s, heard: heard, where: doctor.Options{Data: data}, out: out}
	var err error
	p.desk, err = p.open(lookPatience)
	return p, err
}

func (p *pageSource) open(patience time.Duration) (*desk, error) {
	return (&events{where: p.where}).open(patience)
}

// Look implements page.Source.
func (p *pageSource) Look(ctx context.Context) *page.Snapshot {
	s := &page.Snapshot{At: time.Now().UTC(), Pauses: []page.Pause{}, Parked: []page.Parked{}, Letters: []page.Letter{}, Unknown: []string{}}
	var waiting []page.Way
	var all sync.WaitGroup
	var mu sync.Mutex // guards s and waiting
	for what, find := range map[string]func() error{
		"the outbox": func() error {
			o, parked, ways, err := p.outbox(ctx, s.At)
			mu.Lock()
			defer mu.Unlock()
			s.Outbox, s.Parked, waiting = o, parked, ways
			return err
		},
		"the pauses": func() error {
			found, err := p.desk.Halts(ctx)
			mu.Lock()
			defer mu.Unlock()
			for _, h := range found.List {
				s.Pauses = append(s.Pauses, page.Pause{Scope: string(h.Scope), Name: h.Name, At: h.At, Author: h.Author, Reason: h.Reason})
			}
			return err
		},
		"the consumer": func() error {
			n, err := p.desk.early(ctx)
			mu.Lock()
			defer mu.Unlock()
			s.EarlyKeys = n
			return err
		},
	} {
		all.Go(func() {
			if err := find(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				s.Unknown = append(s.Unknown, fmt.Sprintf("%s: %v", what, err))
			}
		})
	}
	all.Wait()
	s.Broker, s.Letters = p.broker()
	s.Faults, s.OtherFaults = p.switches()
	p.heard.catchUp()
	s.Flow, s.Events = p.heard.trail.Show(time.Now(), waiting)
	return s
}

// outbox counts what waits, and lists it: parked events, and all as ways.
func (p *pageSource) outbox(ctx context.Context, now time.Time) (*page.Outbox, []page.Parked, []page.Way, error) {
	parked, ways := []page.Parked{}, []page.Way{}
	t, err := outbox.Count(ctx, p.desk, now, maxCounted, func(e outbox.Event) {
		if now.Sub(e.CreatedAt) < recent || len(ways) < maxWays {
			ways = append(ways, page.Way{ID: e.ID, Key: e.Key, Seq: e.Seq, Type: e.Type, Trace: traceID(e.Trace.Parent), State: page.State(stateOf(e)), Written: e.CreatedAt})
		}
		if e.Parked() && len(parked) < maxListed {
			parked = append(parked, page.Parked{
				Key: e.Key, Seq: e.Seq, Type: e.Type, Reason: e.Fault.Reason, Attempts: e.Fault.Attempts, Due: e.Fault.Due(), Passed: e.Fault.Skipped,
			})
		}
	})
	if err != nil {
		return nil, []page.Parked{}, nil, err
	}
	slices.SortFunc(parked, func(a, b page.Parked) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Seq, b.Seq)) })
	return &page.Outbox{
		Pending: t.Pending, Oldest: t.Oldest.Seconds(), Parked: t.Parked, Passed: t.Passed, Keys: t.Keys, MorePending: t.MorePending, MoreParked: t.MoreParked,
	}, parked, ways, nil
}

// maxWays bounds the waiting events that are shown, beside those that are recent: these count for the rate of writes.
const (
	maxWays = 500
	recent  = 15 * time.Second
)

// broker counts what the consumer's subscription has, and lists its dead letters.
func (p *pageSource) broker() (*page.Broker, []page.Letter) {
	counts := p.stack.Bus.Counts(p.heard.subs)
	letters := []page.Letter{}
	if counts.DeadLetter > 0 && counts.DeadLetter <= maxPeeked {
		for _, m := range p.stack.Bus.Peek(p.heard.subs + "/$DeadLetterQueue") {
			if len(letters) == maxListed {
				break
			}
			l := page.Letter{Number: m.SequenceNumber, Key: m.SessionID}
			if e, err := inbox.Decode(m.Body); err == nil {
				l.Key, l.Seq = e.Key, e.Seq
			}
			l.Reason, _ = m.Properties["DeadLetterReason"].(string)
			letters = append(letters, l)
		}
	}
	return &page.Broker{Waiting: counts.Active + counts.Deferred + counts.Scheduled, DeadLetters: counts.DeadLetter}, letters
}
