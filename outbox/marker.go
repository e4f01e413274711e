package outbox

import (
	"encoding/json"
	"fmt"
)

// SkippedType is the CloudEvents type of a marker: what goes out under the number of an event
// that an operator has skipped. It changes no state; consumers count on from it.
const SkippedType = "relaybox.skipped"

// markerData is what a marker says: which event has not been sent.
type markerData struct {
	ID      string      `json:"id"`
	Skipped markerEvent `json:"skipped"`
}

type markerEvent struct {
	Event string `json:"event"`
	Type  string `json:"type"`
}

// marker is what goes out in place of e. It has another ID, because the broker may have
// seen e, and the rest of e's envelope, so that it is of the same key, incarnation and trace.
func (e Event) marker() (Event, error) {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(e.Envelope, &parts); err != nil || parts == nil {
		return Event{}, fmt.Errorf("the envelope of event %d of %q is no JSON object, so no marker can be made of it: %v", e.Seq, e.Key, err)
	}
	m := e
	m.ID, m.Type, m.Fault, m.Content, m.Revision = e.ID+"-skipped", SkippedType, nil, nil, ""
	subject := e.Key
	if kind, id := SplitKey(e.Key); kind != "" {
		subject = id
	}
	for name, value := range map[string]any{
		"id": m.ID, "type": m.Type, "datacontenttype": "application/json",
		"data": markerData{ID: subject, Skipped: markerEvent{Event: e.ID, Type: e.Type}},
	} {
		text, err := json.Marshal(value)
		if err != nil {
			return Event{}, fmt.Errorf("encode the marker of event %d of %q: %w", e.Seq, e.Key, err)
		}
		parts[name] = text
	}
	delete(parts, "data_base64")
	var err error
	if m.Envelope, err = json.Marshal(parts); err != nil {
		return Event{}, fmt.Errorf("encode the marker of event %d of %q: %w", e.Seq, e.Key, err)
	}
	return m, nil
}
