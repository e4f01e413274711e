package azfunc

import (
	"encoding/json"
	"fmt"
	"time"
)

// A Message is one Service Bus message. With dataType "binary" every field is
// the broker's. In text mode the host lets the top-level properties of a JSON
// body replace metadata of the same name: trust only the Body then. Fields
// that are absent or unreadable are zero.
type Message struct {
	Body           []byte
	MessageID      string
	SessionID      string
	Subject        string
	ContentType    string
	CorrelationID  string
	DeliveryCount  int
	SequenceNumber int64
	EnqueuedTime   time.Time
	// Properties are the application properties; integers are int64, other
	// numbers float64.
	Properties map[string]any
}

// Message decodes the data and metadata of a Service Bus trigger with
// cardinality one.
func (inv *Invocation) Message(binding string) (Message, error) {
	raw, err := inv.binding(binding)
	if err != nil {
		return Message{}, err
	}
	if string(raw) == "null" {
		return Message{}, fmt.Errorf("%w: message %q is null", ErrMalformed, binding)
	}
	return message(raw, func(key string) json.RawMessage {
		v, _ := lookup(inv.Metadata, key)
		return v
	}), nil
}

// Messages decodes a Service Bus trigger with cardinality many, whose metadata
// are arrays beside the payloads; it also accepts the data of a single message.
func (inv *Invocation) Messages(binding string) ([]Message, error) {
	raw, err := inv.binding(binding)
	if err != nil {
		return nil, err
	}
	if _, batch := lookup(inv.Metadata, "MessageIdArray"); !batch {
		if list := elements(raw); list == nil {
			m, err := inv.Message(binding)
			return []Message{m}, err
		}
	}
	payloads := elements(raw)
	if payloads == nil {
		return nil, fmt.Errorf("%w: messages %q are not an array", ErrMalformed, binding)
	}
	columns := make(map[string][]json.RawMessage)
	list := make([]Message, len(payloads))
	for i, p := range payloads {
		list[i] = message(p, func(key string) json.RawMessage { return inv.cell(columns, key+"Array", i) })
	}
	return list, nil
}

// cell is entry i of a metadata array; columns keeps the decoded arrays.
func (inv *Invocation) cell(columns map[string][]json.RawMessage, key string, i int) json.RawMessage {
	column, ok := columns[key]
	if !ok {
		raw, _ := lookup(inv.Metadata, key)
		column = elements(raw)
		columns[key] = column
	}
	if i >= len(column) {
		return nil
	}
	return column[i]
}

func message(data json.RawMessage, meta func(string) json.RawMessage) Message {
	m := Message{
		Body:           payload(data),
		MessageID:      text(meta("MessageId")),
		SessionID:      text(meta("SessionId")),
		Subject:        text(first(meta, "Subject", "Label")),
		ContentType:    text(meta("ContentType")),
		CorrelationID:  text(meta("CorrelationId")),
		DeliveryCount:  int(integer(meta("DeliveryCount"))),
		SequenceNumber: integer(meta("SequenceNumber")),
		EnqueuedTime:   instant(first(meta, "EnqueuedTimeUtc", "EnqueuedTime")),
		Properties:     properties(first(meta, "ApplicationProperties", "UserProperties")),
	}
	return m
}

// first takes the newer of two names that the host sends for one value.
func first(meta func(string) json.RawMessage, names ...string) json.RawMessage {
	for _, n := range names {
		if v := meta(n); v != nil {
			return v
		}
	}
	return nil
}
