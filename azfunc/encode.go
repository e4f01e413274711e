package azfunc

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// A Call is what every invocation that a host encodes has in common.
type Call struct {
	Function string // the function's name, Metadata.sys.MethodName
	Binding  string // the trigger binding's name, the key in Data
	Now      time.Time
	RandGUID string
	// Retry is set when a retry policy runs the function again.
	Retry *RetryContext
}

// RetryContext is Metadata.RetryContext.
type RetryContext struct {
	RetryCount, MaxRetryCount int
	Exception                 string
}

// ticks is the layout of .NET's round-trip format, trailing zeros cut.
const ticks = "2006-01-02T15:04:05.9999999"

// document writes the request body; sys moves to $sys if the payload has
// already taken its name.
func (c Call) document(data json.RawMessage, metadata *bag) []byte {
	sys := compact(struct{ MethodName, UtcNow, RandGuid string }{c.Function, c.Now.UTC().Format(ticks) + "Z", c.RandGUID})
	if metadata.find("sys") >= 0 {
		metadata.set("$sys", sys)
	} else {
		metadata.set("sys", sys)
	}
	if c.Retry != nil {
		metadata.set("RetryContext", compact(c.Retry))
	}
	values := &bag{}
	values.set(c.Binding, data)
	outer := &bag{}
	outer.set("Data", values.json())
	outer.set("Metadata", metadata.json())
	return outer.json()
}

// EncodeTimer encodes the invocation of a timer function. input is the text of
// a manual run, nil for none: it reaches the metadata only.
func EncodeTimer(c Call, t Timer, input *string) []byte {
	type status struct{ Last, Next, LastUpdated string }
	doc := struct {
		Schedule       struct{ AdjustForDST bool }
		ScheduleStatus *status
		IsPastDue      bool
	}{IsPastDue: t.PastDue}
	doc.Schedule.AdjustForDST = t.AdjustForDST
	if s := t.Status; s != nil {
		doc.ScheduleStatus = &status{offset(s.Last), offset(s.Next), offset(s.LastUpdated)}
	}
	metadata := &bag{}
	if input != nil {
		metadata.put(c.Binding, *input)
	}
	return c.document(compact(doc), metadata)
}

func offset(t time.Time) string { return t.UTC().Format(ticks) + "+00:00" }

// Delivery is a message with what only the broker's side of it knows.
type Delivery struct {
	Message
	Namespace        string // fully qualified
	Identifier       string // of the host's client
	LockToken        string
	PartitionKey     string
	To               string
	ReplyTo          string
	ReplyToSessionID string
	DeadLetterSource string
	ExpiresAt        time.Time
}

// Payload says how a message body travels in Data.
type Payload int

const (
	// TextTwice is the real host's form of text: a string that holds a JSON
	// string literal. The body must be UTF-8.
	TextTwice Payload = iota
	// TextOnce is the form that documentation shows.
	TextOnce
	// Binary is dataType "binary": base64, encoded once, and no metadata
	// pollution.
	Binary
)

// EncodeMessage encodes the invocation of a Service Bus function with
// cardinality one.
func EncodeMessage(c Call, d Delivery, p Payload) []byte {
	metadata := brokerMetadata(d)
	var data json.RawMessage
	switch p {
	case Binary:
		data = compact(base64.StdEncoding.EncodeToString(d.Body))
	case TextOnce:
		data = compact(strings.ToValidUTF8(string(d.Body), string(utf8.RuneError)))
		metadata.pollute(d.Body)
	default:
		data = encoded(strings.ToValidUTF8(string(d.Body), string(utf8.RuneError)))
		metadata.pollute(d.Body)
	}
	return c.document(data, metadata)
}

// usualKeys is room for what the broker knows of a message and for what its body has on top.
const usualKeys = 40

func brokerMetadata(d Delivery) *bag {
	b := &bag{keys: make([]string, 0, usualKeys), values: make([]json.RawMessage, 0, usualKeys)}
	for _, k := range []string{"MessageReceiver", "MessageSession", "MessageActions", "SessionActions", "ReceiveActions"} {
		b.set(k, json.RawMessage("{}"))
	}
	b.set("Client", compact(struct {
		FullyQualifiedNamespace string
		IsClosed                bool
		TransportType           int
		Identifier              string
	}{d.Namespace, false, 0, d.Identifier}))
	b.put("DeliveryCount", d.DeliveryCount)
	b.text("DeadLetterSource", d.DeadLetterSource)
	b.text("LockToken", d.LockToken)
	b.put("SequenceNumber", d.SequenceNumber)
	b.instants("ExpiresAt", d.ExpiresAt)
	b.instants("EnqueuedTime", d.EnqueuedTime)
	b.text("MessageId", d.MessageID)
	b.text("ContentType", d.ContentType)
	b.text("CorrelationId", d.CorrelationID)
	b.text("ReplyTo", d.ReplyTo)
	b.text("ReplyToSessionId", d.ReplyToSessionID)
	b.text("To", d.To)
	b.text("Subject", d.Subject)
	b.text("Label", d.Subject)
	b.text("SessionId", d.SessionID)
	b.text("PartitionKey", d.PartitionKey)
	properties := json.RawMessage("{}")
	if len(d.Properties) > 0 {
		properties = compact(d.Properties)
	}
	b.set("ApplicationProperties", properties)
	b.set("UserProperties", properties)
	return b
}

// text leaves out what the broker does not know, as the host does with null.
func (b *bag) text(key, value string) {
	if value != "" {
		b.put(key, value)
	}
}

func (b *bag) instants(key string, t time.Time) {
	b.put(key+"Utc", plainTime(t))
	b.put(key, t)
}
