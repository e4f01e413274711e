package main

import (
	"strings"
	"sync"
	"time"

	"github.com/relaybox/relaybox/cmd/relaybox/page"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/local/minibus"
)

// maxTold is how many steps may wait until they are read. Then the bus waits, for the time that one takes.
const maxTold = 256

// follower tells a trail of the messages of the consumer's subscription. The bus is locked while it
// tells of a step, so bodies are read on a goroutine of the follower's, in the same order.
type follower struct {
	trail       *page.Trail
	topic, subs string
	told        chan step
	done        chan struct{}
	end         sync.Once
}

// step is a passage and when it was told, or a channel to close once all before it is read.
type step struct {
	minibus.Passage
	at   time.Time
	read chan struct{}
}

// newFollower returns one that reads until close.
func newFollower(trail *page.Trail, settings map[string]string) *follower {
	f := &follower{trail: trail, topic: settings["EVENTS_TOPIC"], subs: consumerPath(settings), told: make(chan step, maxTold), done: make(chan struct{})}
	go f.read()
	return f
}

// close ends it. What is told afterwards is forgotten. The second call does nothing.
func (f *follower) close() { f.end.Do(func() { close(f.done) }) }

func consumerPath(settings map[string]string) string {
	return settings["EVENTS_TOPIC"] + "/Subscriptions/" + settings["EVENTS_SUBSCRIPTION"]
}

// hear is what the bus calls: minibus.Options.Watch.
func (f *follower) hear(p minibus.Passage) {
	of := f.subs
	if p.Step == minibus.Published {
		of = f.topic
	}
	if strings.EqualFold(p.Entity, of) {
		f.tell(step{Passage: p, at: time.Now()})
	}
}

func (f *follower) tell(s step) {
	select {
	case f.told <- s:
	case <-f.done:
	}
}

// catchUp returns when all is read that was told before.
func (f *follower) catchUp() {
	read := make(chan struct{})
	f.tell(step{read: read})
	select {
	case <-read:
	case <-f.done:
	}
}

func (f *follower) read() {
	for {
		select {
		case s := <-f.told:
			if s.read != nil {
				close(s.read)
				continue
			}
			f.show(s)
		case <-f.done:
			return
		}
	}
}

func (f *follower) show(s step) {
	switch s.Step {
	case minibus.Published:
		if e, err := inbox.Decode(s.Message.Body); err == nil { // else it is nothing of ours
			f.trail.Sent(page.Way{ID: e.ID, Key: e.Key, Seq: e.Seq, Type: e.Type, Trace: traceID(e.TraceParent), Written: e.Time}, s.Message.MessageID, s.at)
		}
	case minibus.Completed:
		f.trail.Consumed(s.Message.MessageID, s.at)
	case minibus.DeadLettered:
		f.trail.Dead(s.Message.MessageID, s.at)
	}
}

// traceID is the second part of a W3C traceparent.
func traceID(parent string) string {
	_, rest, _ := strings.Cut(parent, "-")
	id, _, _ := strings.Cut(rest, "-")
	return id
}
