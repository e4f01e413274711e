package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/outbox"
)

const (
	// recordsAtOnce bounds the records on their way: the letters need not wait for each.
	recordsAtOnce = 16
	// recordPatience is how long the store may take for one.
	recordPatience = 5 * time.Second
)

// letterRecords keeps what is done with dead letters: in the app's store, where the records of
// events are. Those that it does not take are lines of JSON for whoever runs the program.
type letterRecords struct {
	m     *letterMending
	queue string
	out   io.Writer
	lines recorder
	desk  *desk // nil: there is no store
	all   errgroup.Group

	mu     sync.Mutex // guards what follows
	told   bool       // that the store does not take one: it is not asked for the others
	failed error      // of the lines
}

// records opens the store, if the settings name one.
func (m *letterMending) records(queue string, out io.Writer) *letterRecords {
	r := &letterRecords{m: m, queue: queue, out: out, lines: recordLines(out)}
	r.all.SetLimit(recordsAtOnce)
	d, err := (&events{where: m.where}).open(recordPatience)
	if err != nil {
		r.tell(err)
		return r
	}
	r.desk = d
	return r
}

// keep records an act after it was done.
func (r *letterRecords) keep(ctx context.Context, a servicebus.Act, told mendedLetter) {
	at := time.Now().UTC()
	line := record{At: at, Author: r.m.author, Reason: r.m.reason, Act: "deadletters " + r.m.verb, On: r.queue, What: told}
	if r.desk == nil || r.lost() {
		r.write(line)
		return
	}
	act := r.act(a, at)
	r.all.Go(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordPatience)
		defer cancel()
		if err := r.desk.Record(ctx, act); err != nil {
			r.tell(err)
			r.write(line)
		}
		return nil
	})
}

// act is the record in the store.
func (r *letterRecords) act(a servicebus.Act, at time.Time) outbox.Act {
	act := outbox.Act{
		ID: uuid.NewString(), At: at, Author: r.m.author, Reason: r.m.reason, Verb: outbox.Verb(r.m.verb), State: outbox.ActDone,
		Key: a.Letter.Key, Seq: a.Letter.Seq,
		DeadLetter: &outbox.DeadLetter{Queue: r.queue, Number: a.Letter.Number, MessageID: a.Letter.MessageID, SentAs: a.SentAs},
	}
	switch a.Outcome {
	case servicebus.Failed:
		act.State = outbox.ActFailed
	case servicebus.Gone:
		act.State = outbox.ActChanged
	}
	if a.Err != nil {
		act.Error = a.Err.Error()
	}
	return act
}

// tell says once that the store has not got the record.
func (r *letterRecords) tell(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.told {
		r.told = true
		_, _ = fmt.Fprintf(r.out, "the store has no record of this, keep the lines that follow: %v\n", err)
	}
}

// lost says whether the store is given up: letters that are locked must not wait for it.
func (r *letterRecords) lost() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told
}

func (r *letterRecords) write(line record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.lines(line); err != nil {
		r.failed = err
	}
}

// end waits for the records that are on their way, and says whether one is nowhere.
func (r *letterRecords) end() error {
	_ = r.all.Wait() // none returns an error
	if r.desk != nil {
		r.desk.Close()
	}
	return r.failed
}
