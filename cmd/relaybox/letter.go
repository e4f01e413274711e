package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/relaybox/relaybox/azure/servicebus"
)

// letter is a dead letter as JSON.
type letter struct {
	SequenceNumber int64     `json:"sequenceNumber"`
	MessageID      string    `json:"messageId"`
	Enqueued       time.Time `json:"enqueued"`
	Key            string    `json:"key,omitempty"`
	Kind           string    `json:"kind,omitempty"`
	Event          *event    `json:"event,omitempty"`
	Unreadable     string    `json:"unreadable,omitempty"` // why the body is no event
	Reason         string    `json:"reason"`
	Description    string    `json:"description,omitempty"`
	Deliveries     int       `json:"deliveries"`
	Trace          string    `json:"traceparent,omitempty"`

	// Of show only.
	Session     string          `json:"session,omitempty"`
	Subject     string          `json:"subject,omitempty"`
	ContentType string          `json:"contentType,omitempty"`
	Properties  map[string]any  `json:"properties,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`       // of JSON
	BodyText    string          `json:"bodyText,omitempty"`   // of other text
	BodyBase64  []byte          `json:"bodyBase64,omitempty"` // of anything else
}

// event is what the envelope says.
type event struct {
	ID          string    `json:"id"`
	Type        string    `json:"type"`
	Seq         int64     `json:"seq"`
	Incarnation string    `json:"incarnation,omitempty"`
	Time        time.Time `json:"time,omitzero"`
}

func letterAsJSON(l servicebus.Letter) letter {
	d := letter{
		SequenceNumber: l.Number, MessageID: l.MessageID, Enqueued: l.Enqueued, Key: l.Key(), Kind: l.Kind(),
		Reason: l.Reason, Description: l.Description, Deliveries: l.Deliveries, Trace: l.Trace(),
	}
	if l.Unreadable != nil {
		d.Unreadable = l.Unreadable.Error()
	} else {
		d.Event = &event{ID: l.Event.ID, Type: l.Event.Type, Seq: l.Event.Seq, Incarnation: l.Event.Incarnation.ID, Time: l.Event.Time}
	}
	return d
}

func (d letter) withContent(l servicebus.Letter) letter {
	d.Session, d.Subject, d.ContentType, d.Properties = l.Session, l.Subject, l.ContentType, l.Properties
	switch {
	case json.Valid(l.Body):
		d.Body = l.Body
	case utf8.Valid(l.Body):
		d.BodyText = string(l.Body)
	default:
		d.BodyBase64 = l.Body
	}
	return d
}

// printLetter prints a letter for a person.
func printLetter(out io.Writer, l servicebus.Letter) error {
	table, row := sheet(out)
	row("number", l.Number)
	row("message id", l.MessageID)
	row("enqueued", l.Enqueued.Format(time.RFC3339Nano))
	row("reason", l.Reason)
	row("description", l.Description)
	row("deliveries", l.Deliveries)
	row("key", l.Key())
	if l.Unreadable != nil {
		row("no event", l.Unreadable)
	} else {
		row("event", fmt.Sprintf("%s, number %d, %s", l.Event.Type, l.Event.Seq, l.Event.ID))
	}
	row("session", l.Session)
	row("content type", l.ContentType)
	row("trace", l.Trace())
	for _, name := range slices.Sorted(maps.Keys(l.Properties)) {
		if !strings.HasPrefix(name, "DeadLetter") { // they stand above
			row("property "+printable(name), l.Properties[name])
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "body (%s)\n%s\n\n", plural(len(l.Body), "byte"), bodyText(l.Body))
	return err
}

// letterRow is a letter's row in a list.
func letterRow(l servicebus.Letter) string {
	seq := "-"
	if l.Unreadable == nil {
		seq = fmt.Sprint(l.Event.Seq)
	}
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s", l.Number, l.Enqueued.Format(time.RFC3339), dash(l.Key()), seq, dash(l.Reason), dash(l.MessageID))
}
