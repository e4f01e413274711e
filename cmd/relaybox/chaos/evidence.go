package chaos

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/relaybox/relaybox/azure/cosmos"
)

// evidence is what the ledger is made of: each part comes from a witness of its own.
type evidence struct {
	entities map[string]entityDoc
	// pending and parked are the numbers of the events that are still in the outbox; blocked
	// are the pending ones behind a parked one.
	pending, parked, blocked map[string][]int64
	// left are all events that are still in the outbox, by key.
	left   map[string][]event
	models map[string]modelDoc
	// topic is what came to the topic, by key, in the broker's order, copies included.
	topic map[string][]event
	dead  []string
	// waiting is what the app's subscription still holds.
	waiting waiting
}

type entityDoc struct {
	Version int64           `json:"version"`
	LastSeq int64           `json:"lastSeq"`
	Deleted bool            `json:"deleted"`
	Data    json.RawMessage `json:"data"`
}

type modelDoc struct {
	LastSeq int64 `json:"lastSeq"`
	Gaps    int64 `json:"gaps"`
	Data    struct {
		State json.RawMessage `json:"state"`
		View  struct {
			Applied map[string]int64 `json:"applied"`
		} `json:"view"`
	} `json:"data"`
}

// event is one message of the topic.
type event struct {
	number int64 // the broker's
	at     time.Time
	id     string
	life   string
	name   string // created, not relaybox.profile.created
	seq    int64
	trace  string
	// state is the whole document, canonical; "" when the entity is gone.
	state string
}

func (e event) String() string {
	return fmt.Sprintf("message %d: event %d %s, id %s, trace %s, state %s", e.number, e.seq, e.name, e.id, e.trace, e.state)
}

// readOutbox sorts the writing side's documents.
func (e *evidence) readOutbox(docs []json.RawMessage) error {
	e.entities, e.pending, e.parked = map[string]entityDoc{}, map[string][]int64{}, map[string][]int64{}
	e.left = map[string][]event{}
	for _, text := range docs {
		var d struct {
			PK      string `json:"pk"`
			Kind    string `json:"kind"`
			Seq     int64  `json:"seq"`
			Pending bool   `json:"pending"`
			Parked  bool   `json:"parked"`
			entityDoc
		}
		if err := json.Unmarshal(text, &d); err != nil {
			return fmt.Errorf("read a stored document: %w", err)
		}
		switch {
		case d.Kind == "entity":
			e.entities[d.PK] = d.entityDoc
		case d.Pending:
			e.pending[d.PK] = append(e.pending[d.PK], d.Seq)
		case d.Parked:
			e.parked[d.PK] = append(e.parked[d.PK], d.Seq)
		}
		if d.Pending || d.Parked {
			left, err := readLeft(text)
			if err != nil {
				return fmt.Errorf("event %d of %s: %w", d.Seq, d.PK, err)
			}
			e.left[d.PK] = append(e.left[d.PK], left)
		}
	}
	e.block()
	return nil
}

// block sorts out the pending events that nobody may send, because an earlier one is parked.
func (e *evidence) block() {
	e.blocked = map[string][]int64{}
	for key, parked := range e.parked {
		first := slices.Min(parked)
		for _, seq := range e.pending[key] {
			if seq > first {
				e.blocked[key] = append(e.blocked[key], seq)
			}
		}
		e.pending[key] = slices.DeleteFunc(e.pending[key], func(seq int64) bool { return seq > first })
		if len(e.pending[key]) == 0 {
			delete(e.pending, key)
		}
	}
}

// readViews keeps the read models of the consumer's container.
func (e *evidence) readViews(docs []json.RawMessage) error {
	e.models = map[string]modelDoc{}
	for _, text := range docs {
		var d struct {
			PK   string `json:"pk"`
			Kind string `json:"kind"`
			modelDoc
		}
		if err := json.Unmarshal(text, &d); err != nil {
			return fmt.Errorf("read a view's document: %w", err)
		}
		if d.Kind == "model" {
			e.models[d.PK] = d.modelDoc
		}
	}
	return nil
}

func (e *evidence) readTopic(messages []*azservicebus.ReceivedMessage) error {
	e.topic = map[string][]event{}
	for _, m := range messages {
		key, read, err := readEvent(m)
		if err != nil {
			return fmt.Errorf("message %d: %w", read.number, err)
		}
		e.topic[key] = append(e.topic[key], read)
	}
	return nil
}

func readEvent(m *azservicebus.ReceivedMessage) (key string, e event, err error) {
	key, e, err = readEnvelope(m.Body)
	e.number, e.at = *m.SequenceNumber, *m.EnqueuedTime
	return key, e, err
}

// readLeft reads an event from its document.
func readLeft(document []byte) (event, error) {
	stored, err := cosmos.ReadEvent(document)
	if err != nil {
		return event{}, err
	}
	_, e, err := readEnvelope(stored.Envelope)
	return e, err
}

// readEnvelope reads the CloudEvent of an event, wherever it is.
func readEnvelope(text []byte) (key string, e event, err error) {
	var envelope struct {
		ID           string `json:"id"`
		Type         string `json:"type"`
		PartitionKey string `json:"partitionkey"`
		Sequence     string `json:"sequence"`
		Incarnation  string `json:"incarnation"`
		TraceParent  string `json:"traceparent"`
		Data         struct {
			State json.RawMessage `json:"state"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return "", e, fmt.Errorf("not a CloudEvent: %w", err)
	}
	if e.seq, err = strconv.ParseInt(envelope.Sequence, 10, 64); err != nil {
		return "", e, fmt.Errorf("sequence: %w", err)
	}
	e.id, e.life, e.state = envelope.ID, envelope.Incarnation, canonical(envelope.Data.State)
	e.name = envelope.Type[strings.LastIndexByte(envelope.Type, '.')+1:]
	if parts := strings.Split(envelope.TraceParent, "-"); len(parts) == 4 {
		e.trace = parts[1]
	}
	return envelope.PartitionKey, e, nil
}

// canonical is a JSON object with its members in order and without spaces; "" for null and
// for nothing.
func canonical(text json.RawMessage) string {
	if len(text) == 0 || string(text) == "null" {
		return ""
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		return string(text)
	}
	again, err := json.Marshal(members)
	if err != nil {
		return string(text)
	}
	return string(again)
}

// late are the entities whose read model is behind or missing, but for those that wait
// behind a parked event.
func (e *evidence) late() []string {
	var keys []string
	for key, entity := range e.entities {
		if e.models[key].LastSeq < entity.LastSeq && len(e.parked[key]) == 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// standing is how far everything has come.
type standing struct {
	pending int
	waiting waiting
	applied int64
}

// idle: nobody has anything to do.
func (s standing) idle() bool { return s.pending == 0 && s.waiting.active == 0 }

func (e *evidence) standing() standing {
	s := standing{pending: len(e.pending), waiting: e.waiting}
	for _, m := range e.models {
		s.applied += m.LastSeq
	}
	return s
}
