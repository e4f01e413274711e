package outbox

import (
	"encoding/json"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"
)

// eventSpace is the name space of event ids: version 5 UUIDs.
var eventSpace = uuid.MustParse("6f7b1c52-5f0a-5b1e-9d0a-2f6d1a0c7e11")

// EventID derives the id of an event. The same event has the same id wherever and
// however often it is built.
func EventID(source, key, incarnation string, seq int64) string {
	return uuid.NewSHA1(eventSpace, fmt.Appendf(nil, "%s\n%s\n%s\n%d", source, key, incarnation, seq)).String()
}

// number turns drafts into events of the change to an entity, or of its replay,
// with the numbers after last.
func (w *Writer) number(req Request, to Entity, last int64, now time.Time, drafts []Draft) ([]Event, error) {
	events := make([]Event, 0, len(drafts))
	source := w.opts.Source
	if kind, _ := SplitKey(req.Key); kind != "" {
		source += "/" + kind
	}
	for i, d := range drafts {
		data, err := json.Marshal(d.Data)
		if err != nil {
			return nil, fmt.Errorf("encode data of event %q: %w", d.Type, err)
		}
		e := Event{Key: req.Key, Seq: last + int64(i) + 1, Type: d.Type, Trace: req.Trace, ReplayFor: d.ReplayFor, CreatedAt: now}
		if err := e.Fill(Content{Source: source, Incarnation: to.Incarnation, Version: to.Version, Data: data}); err != nil {
			return nil, err
		}
		if len(e.Envelope) > w.opts.MaxEventBytes {
			return nil, &EventTooLargeError{Type: d.Type, Size: len(e.Envelope), Max: w.opts.MaxEventBytes}
		}
		events = append(events, e)
	}
	return events, nil
}

// Fill gives an event its content, and what follows from that: ID, Incarnation and Envelope.
// The other fields are there.
func (e *Event) Fill(c Content) (err error) {
	e.Content, e.Incarnation = &c, c.Incarnation.ID
	e.ID = EventID(c.Source, e.Key, e.Incarnation, e.Seq)
	e.Envelope, err = envelope(e)
	return err
}

// envelope is the CloudEvents 1.0 JSON of e, with the extensions sequence, partitionkey
// and distributed tracing as their documents define them, four of our own for the incarnation,
// one for the version, and replayfor in an event of a replay. Package inbox reads it.
func envelope(e *Event) (json.RawMessage, error) {
	in := e.Content.Incarnation
	subject := e.Key
	if kind, id := SplitKey(e.Key); kind != "" {
		subject = id
	}
	ce := cloudevents.New(cloudevents.CloudEventsVersionV1)
	ce.SetID(e.ID)
	ce.SetSource(e.Content.Source)
	ce.SetType(e.Type)
	ce.SetSubject(subject)
	ce.SetTime(e.CreatedAt)
	// The sequence extension wants text that sorts as the numbers do.
	ce.SetExtension("sequence", fmt.Sprintf("%020d", e.Seq))
	ce.SetExtension("partitionkey", e.Key)
	ce.SetExtension("incarnation", in.ID)
	ce.SetExtension("incarnationfirst", fmt.Sprintf("%020d", in.First))
	ce.SetExtension("incarnationsince", in.Since.Format(time.RFC3339))
	ce.SetExtension("incarnationdrawn", in.Drawn.Format(time.RFC3339Nano))
	if v := e.Content.Version; v > 0 {
		ce.SetExtension("entityversion", fmt.Sprintf("%020d", v))
	}
	if e.Trace.Parent != "" {
		ce.SetExtension("traceparent", e.Trace.Parent)
		if e.Trace.State != "" {
			ce.SetExtension("tracestate", e.Trace.State)
		}
	}
	if e.ReplayFor != "" {
		ce.SetExtension("replayfor", e.ReplayFor)
	}
	if err := ce.SetData(cloudevents.ApplicationJSON, e.Content.Data); err != nil {
		return nil, fmt.Errorf("encode data of event %q: %w", e.Type, err)
	}
	text, err := ce.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode event %q: %w", e.Type, err)
	}
	return text, nil
}
