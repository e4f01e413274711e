package demo

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/relaybox/relaybox/outbox"
)

// evidence is what the check looks at. Each part comes from a witness of its own, and
// none from what the app says about itself.
type evidence struct {
	// attempts: what the clients were told, by key.
	attempts map[string][]attempt
	// shown: what readers were shown, by key.
	shown map[string]map[reading]bool
	// recent: what those were shown who had said how old it may be, by key.
	recent map[string][]recent
	// store: the documents of the container that is written to.
	store map[string]partition
	// views: the documents of the consumer's container.
	views map[string]view
	// kept: what the cache that instances share has of entities, by key.
	// keptSince is when the oldest entries were made that cannot have expired.
	kept      map[string]outbox.Entity
	keptSince time.Time
	// bus: what a subscription of the demo's own received, in the broker's order.
	bus map[string][]busEvent
	// list: the documents of the second consumer's container.
	list map[string]*entryDoc
	// dead: the ids of the messages that the app's subscriptions have dead-lettered.
	dead []string
}

// partition is what the write side stores for one key.
type partition struct {
	entity *entityDoc
	// leftover are the ids of events that are still pending or parked.
	leftover []string
}

type entityDoc struct {
	Version int64           `json:"version"`
	LastSeq int64           `json:"lastSeq"`
	Deleted bool            `json:"deleted"`
	Data    json.RawMessage `json:"data"`
}

// view is what the consumer stores for one key.
type view struct {
	model *modelDoc
	// early are the ids of documents of events that still wait for their predecessor.
	early []string
}

type modelDoc struct {
	LastSeq int64 `json:"lastSeq"`
	Gaps    int64 `json:"gaps"`
	Data    struct {
		ID    string          `json:"id"`
		State json.RawMessage `json:"state"`
		View  json.RawMessage `json:"view"`
	} `json:"data"`
}

// busEvent is one message of the audit subscription.
type busEvent struct {
	// number is the broker's own: it defines the order of arrival, and a redelivery
	// has the number of the first delivery.
	number int64
	id     string
	name   string // created, not relaybox.profile.created
	seq    int64
	at     time.Time // by the writer's clock
	// state is what the event says about the entity; nil for a deletion.
	state state
}

// header is what all our documents share.
type header struct {
	ID      string `json:"id"`
	Key     string `json:"pk"`
	Kind    string `json:"kind"`
	Pending bool   `json:"pending"`
	Parked  bool   `json:"parked"`
}

func readStore(docs []json.RawMessage) (map[string]partition, error) {
	found := map[string]partition{}
	for _, text := range docs {
		var h header
		if err := json.Unmarshal(text, &h); err != nil {
			return nil, fmt.Errorf("read a stored document: %w", err)
		}
		p := found[h.Key]
		switch h.Kind {
		case "entity":
			p.entity = new(entityDoc)
			if err := json.Unmarshal(text, p.entity); err != nil {
				return nil, fmt.Errorf("read entity %q: %w", h.Key, err)
			}
		case "event":
			if h.Pending || h.Parked {
				p.leftover = append(p.leftover, h.Key+"/"+h.ID)
			}
		}
		found[h.Key] = p
	}
	return found, nil
}

func readViews(docs []json.RawMessage) (map[string]view, error) {
	found := map[string]view{}
	for _, text := range docs {
		var h header
		if err := json.Unmarshal(text, &h); err != nil {
			return nil, fmt.Errorf("read a view's document: %w", err)
		}
		v := found[h.Key]
		switch h.Kind {
		case "model":
			v.model = new(modelDoc)
			if err := json.Unmarshal(text, v.model); err != nil {
				return nil, fmt.Errorf("read the model of %q: %w", h.Key, err)
			}
		case "early":
			v.early = append(v.early, h.Key+"/"+h.ID)
		}
		found[h.Key] = v
	}
	return found, nil
}

// distinct returns the first copy of every event and how many further copies there were.
func distinct(events []busEvent) (first []busEvent, copies int) {
	seen := map[string]bool{}
	for _, e := range events {
		if seen[e.id] {
			copies++
			continue
		}
		seen[e.id] = true
		first = append(first, e)
	}
	return first, copies
}

// inOrder sorts by the broker's number and drops redeliveries of one message.
func inOrder(events []busEvent) []busEvent {
	slices.SortFunc(events, func(a, b busEvent) int { return int(a.number - b.number) })
	return slices.CompactFunc(events, func(a, b busEvent) bool { return a.number == b.number })
}
