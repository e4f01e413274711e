package cosmos

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// Ids of the documents of which a partition has one.
const (
	entityDocID  = "entity"
	barrierDocID = "barrier"
)

// How long documents live that say nothing for long, in seconds: an empty tombstone as long
// as a receipt, by default, and a marker until its token is known.
const (
	tombstoneTTL = 24 * 60 * 60
	barrierTTL   = 60
)

type entityDoc struct {
	ID          string             `json:"id"`
	PK          string             `json:"pk"`
	Kind        string             `json:"kind"`
	Version     int64              `json:"version"`
	LastSeq     int64              `json:"lastSeq"`
	Incarnation outbox.Incarnation `json:"incarnation"`
	// Place is the _rid of the container that this was written in. A copy of the container
	// has another one, and the document's own _rid tells which.
	Place     string          `json:"place,omitempty"`
	Batch     string          `json:"batch,omitempty"`
	Replay    string          `json:"replay,omitempty"`
	Deleted   bool            `json:"deleted,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	UpdatedAt time.Time       `json:"updatedAt"`
	// TTL is only an empty tombstone's: numbering must not restart.
	TTL int64  `json:"ttl,omitempty"`
	RID string `json:"_rid,omitempty"` // set by the store
}

// newEntityDoc leaves the data to encoder.with.
func newEntityDoc(key string, e *outbox.Entity) entityDoc {
	d := entityDoc{
		ID: entityDocID, PK: key, Kind: "entity", Version: e.Version, LastSeq: e.LastSeq,
		Incarnation: e.Incarnation, Place: e.Place, Batch: e.Batch, Replay: e.Replay, Deleted: e.Deleted, UpdatedAt: e.UpdatedAt,
	}
	if e.Version == 0 {
		d.TTL = tombstoneTTL
	}
	return d
}

func (d *entityDoc) entity(revision string) outbox.Entity {
	found := containerRID(d.RID)
	return outbox.Entity{
		Key: d.PK, Version: d.Version, LastSeq: d.LastSeq, Incarnation: d.Incarnation,
		Place: d.Place, Moved: d.Place != "" && found != "" && found != d.Place,
		Batch: d.Batch, Replay: d.Replay, Deleted: d.Deleted, Data: d.Data, UpdatedAt: d.UpdatedAt, Revision: revision,
	}
}

// eventDoc never has a ttl: what was not sent must not expire. It has the event's content
// and not its envelope, which would say most of it twice: a create is charged by the size.
// Earlier releases have stored the envelope, and read no incarnation that is an object: they leave
// such an event to others.
type eventDoc struct {
	ID          string          `json:"id"`
	PK          string          `json:"pk"`
	Kind        string          `json:"kind"`
	Pending     bool            `json:"pending,omitempty"`
	Parked      bool            `json:"parked,omitempty"`
	Seq         int64           `json:"seq"`
	Type        string          `json:"type"`
	Source      string          `json:"source,omitempty"`
	Incarnation eventLife       `json:"incarnation,omitzero"`
	Version     int64           `json:"version,omitempty"` // of the entity
	Data        json.RawMessage `json:"data,omitempty"`
	EventID     string          `json:"eventId,omitempty"`  // beside the envelope only
	Envelope    json.RawMessage `json:"envelope,omitempty"` // where the content is not known
	TraceState  string          `json:"tracestate,omitempty"`
	TraceID     string          `json:"traceparent,omitempty"`
	ReplayFor   string          `json:"replayFor,omitempty"`
	CreatedAt   time.Time       `json:"createdAt"`
	Fault       *outbox.Fault   `json:"fault,omitempty"`
	ETag        string          `json:"_etag,omitempty"` // set by the store
	RID         string          `json:"_rid,omitempty"`  // set by the store
}

// eventLife is the incarnation of an event; beside an envelope only its id.
type eventLife struct{ outbox.Incarnation }

// MarshalJSON implements json.Marshaler.
func (l eventLife) MarshalJSON() ([]byte, error) {
	if l.Incarnation == (outbox.Incarnation{ID: l.ID}) {
		return json.Marshal(l.ID)
	}
	return json.Marshal(l.Incarnation)
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *eventLife) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &l.ID)
	}
	return json.Unmarshal(text, &l.Incarnation)
}

// event makes an event's document, the largest member last.
func (e *encoder) event(key string, from *outbox.Event) []byte {
	d := eventDoc{
		ID: outbox.EventDocID(from.Seq), PK: key, Kind: "event", Pending: true, Seq: from.Seq, Type: from.Type,
		TraceID: from.Trace.Parent, TraceState: from.Trace.State, ReplayFor: from.ReplayFor, CreatedAt: from.CreatedAt,
	}
	if c := from.Content; c != nil {
		d.Source, d.Incarnation.Incarnation, d.Version = c.Source, c.Incarnation, c.Version
		return e.with(d, "data", c.Data)
	}
	d.EventID, d.Incarnation.ID = from.ID, from.Incarnation
	return e.with(d, "envelope", from.Envelope)
}

// ReadEvent reads a stored event from its document, whichever release has written it.
func ReadEvent(document []byte) (outbox.Event, error) {
	var d eventDoc
	if err := json.Unmarshal(document, &d); err != nil {
		return outbox.Event{}, err
	}
	return d.event()
}

func (d *eventDoc) event() (outbox.Event, error) {
	e := outbox.Event{
		Key: d.PK, Seq: d.Seq, Incarnation: d.Incarnation.ID, ID: d.EventID, Type: d.Type, Envelope: d.Envelope,
		Trace: outbox.Trace{Parent: d.TraceID, State: d.TraceState}, ReplayFor: d.ReplayFor, CreatedAt: d.CreatedAt, Revision: d.ETag,
	}
	e.Fault = d.fault()
	switch {
	case d.Envelope != nil:
		return e, nil
	case d.Data == nil:
		return e, fmt.Errorf("event %d has neither data nor an envelope", d.Seq)
	}
	err := e.Fill(outbox.Content{Source: d.Source, Incarnation: d.Incarnation.Incarnation, Version: d.Version, Data: d.Data})
	e.Content = nil // the envelope has it
	return e, err
}

// fault is nil unless the event is parked.
func (d *eventDoc) fault() *outbox.Fault {
	if d.Parked && d.Fault == nil {
		return &outbox.Fault{Reason: "parked without a reason"}
	}
	if !d.Parked {
		return nil
	}
	return d.Fault
}

type receiptDoc struct {
	ID          string        `json:"id"`
	PK          string        `json:"pk"`
	Kind        string        `json:"kind"`
	RequestHash string        `json:"requestHash"`
	Batch       string        `json:"batch,omitempty"`
	Answer      outbox.Answer `json:"answer"`
	TTL         int64         `json:"ttl"`
}

// barrierDoc is a marker: what counts is the token of the answer to its write.
type barrierDoc struct {
	ID   string `json:"id"`
	PK   string `json:"pk"`
	Kind string `json:"kind"`
	TTL  int64  `json:"ttl"`
}

type modelDoc struct {
	ID          string            `json:"id"`
	PK          string            `json:"pk"`
	Kind        string            `json:"kind"`
	LastSeq     int64             `json:"lastSeq"`
	Incarnation inbox.Incarnation `json:"incarnation,omitzero"`
	Gaps        int64             `json:"gaps"`
	Missed      inbox.Numbers     `json:"missed,omitempty"`
	Gone        inbox.Numbers     `json:"gone,omitempty"`
	Early       inbox.Numbers     `json:"early,omitempty"`
	Data        json.RawMessage   `json:"data,omitempty"`
}

// newModelDoc leaves the data to encoder.with.
func newModelDoc(m *inbox.Model) modelDoc {
	return modelDoc{
		ID: modelDocID, PK: m.Key, Kind: "model", LastSeq: m.LastSeq, Incarnation: m.Incarnation,
		Gaps: m.Gaps, Missed: m.Missed, Gone: m.Gone, Early: m.Early,
	}
}

func (d *modelDoc) model(key, revision string) inbox.Model {
	return inbox.Model{
		Key: key, LastSeq: d.LastSeq, Incarnation: d.Incarnation, Gaps: d.Gaps, Missed: d.Missed, Gone: d.Gone, Early: d.Early, Data: d.Data, Revision: revision,
	}
}

// earlyDoc never has a ttl: what was not applied must not expire.
type earlyDoc struct {
	ID   string `json:"id"`
	PK   string `json:"pk"`
	Kind string `json:"kind"`
	Seq  int64  `json:"seq"`
	// Since is in milliseconds, so that it can be asked for by its order. It is gone, and
	// Refused there, once nobody waits for the event.
	Since   int64       `json:"earlySince,omitempty"`
	Refused string      `json:"refused,omitempty"`
	Event   inbox.Event `json:"event"`
}

func newEarlyDoc(key string, e *inbox.Early) earlyDoc {
	return earlyDoc{ID: earlyDocID(e), PK: key, Kind: "early", Seq: e.Event.Seq, Since: e.Since.UnixMilli(), Event: e.Event}
}

// earlyDocID tells the incarnations of a key apart: they may give out a number each.
func earlyDocID(e *inbox.Early) string {
	id := fmt.Sprintf("ea-%020d", e.Event.Seq)
	if e.Event.Incarnation.ID != "" {
		id += "-" + e.Event.Incarnation.ID
	}
	return id
}

// checkKey refuses keys that azcosmos would not send as JSON: it quotes the partition
// key by Go's rules, which differ for control characters and beyond the basic plane.
func checkKey(o op) error {
	bad := o.what == "" || len(o.what) > 1023 || !utf8.ValidString(o.what)
	for _, r := range o.what {
		bad = bad || r < 0x20 || r == 0x7f || r > 0xffff
	}
	if bad {
		return &outbox.Error{Class: outbox.Rejected, Op: o.String(), Err: fmt.Errorf("the key can't be a partition key")}
	}
	return nil
}

// seconds is a ttl as the store wants it.
func seconds(d time.Duration) int64 { return max(1, int64(d/time.Second)) }
