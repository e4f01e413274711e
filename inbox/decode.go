package inbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// Reason names why an event can never be applied. It stays when a text changes.
type Reason string

// Reasons of Decode.
const (
	// BadEnvelope: the body is no CloudEvents envelope in JSON.
	BadEnvelope Reason = "bad-envelope"
	// BadVersion: it is one of another version than 1.0.
	BadVersion Reason = "bad-cloudevents-version"
	// BadID: its id can name no receipt.
	BadID Reason = "bad-id"
	// BadSequence: the extension sequence is no number that an event can have.
	BadSequence Reason = "bad-sequence"
	// BadIncarnation: the extensions of the incarnation are incomplete, or not before the
	// event.
	BadIncarnation Reason = "bad-incarnation"
	// BadKey: neither partitionkey nor subject names what the event is about.
	BadKey Reason = "bad-key"
)

// RefusedError says that an event can never be applied, whatever the state of its key:
// delivering it again cannot help. Nothing was touched.
type RefusedError struct {
	Reason Reason
	Detail string
}

// Error is the reason and the detail.
func (e *RefusedError) Error() string { return fmt.Sprintf("%s: %s", e.Reason, e.Detail) }

// Refuse returns a *RefusedError.
func Refuse(reason Reason, format string, args ...any) error {
	return &RefusedError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// ReasonOf is the reason of a *RefusedError in err, "" when there is none.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*RefusedError](err); ok {
		return e.Reason
	}
	return ""
}

// MaxSeq is the largest number of an event: stores keep numbers as doubles.
const MaxSeq = 1<<53 - 1

var validID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// Decode reads an event from a message's body: a CloudEvents 1.0 envelope in JSON as
// package outbox writes it, with the extensions sequence and, unless the source knows none,
// incarnation, incarnationfirst and incarnationsince. The key is the extension
// partitionkey, or the subject without one. Its error is a *RefusedError.
//
// Only the body counts: what travels beside it can be changed on the way.
func Decode(body []byte) (Event, error) {
	var ce cloudevents.Event
	err := ce.UnmarshalJSON(body)
	if v := versionOf(&ce, body, err); v != "" && v != cloudevents.CloudEventsVersionV1 {
		return Event{}, Refuse(BadVersion, "specversion is %.20q; 1.0 is read", v)
	}
	if err != nil {
		return Event{}, Refuse(BadEnvelope, "the body is not a CloudEvents envelope in JSON: %v", err)
	}
	if err := ce.Validate(); err != nil {
		return Event{}, Refuse(BadEnvelope, "the envelope is not valid: %v", err)
	}
	if !validID.MatchString(ce.ID()) {
		return Event{}, Refuse(BadID, "the id %.40q cannot name a receipt: 1 to 128 of A-Z a-z 0-9 . _ : - are allowed", ce.ID())
	}
	e := Event{
		Key: extension(ce, "partitionkey"), ID: ce.ID(), Type: ce.Type(), Source: ce.Source(), Subject: ce.Subject(), Time: ce.Time(),
		Data: ce.Data(), TraceParent: extension(ce, "traceparent"), TraceState: extension(ce, "tracestate"),
	}
	if e.Key == "" {
		e.Key = e.Subject
	}
	if e.Key == "" || len(e.Key) > 1023 {
		return Event{}, Refuse(BadKey, "the extension partitionkey, or the subject without one, must name what the event is about in 1 to 1023 bytes")
	}
	if e.Seq, err = number(ce, "sequence"); err != nil {
		return Event{}, Refuse(BadSequence, "%v", err)
	}
	if e.Incarnation, err = incarnation(ce); err != nil {
		return Event{}, Refuse(BadIncarnation, "%v", err)
	}
	if e.Seq < e.Incarnation.First {
		return Event{}, Refuse(BadSequence, "sequence %d is below the first number of its incarnation, %d", e.Seq, e.Incarnation.First)
	}
	return e, nil
}

// versionOf is the specversion of an envelope, also of one that could not be read.
func versionOf(ce *cloudevents.Event, body []byte, unread error) string {
	if unread == nil {
		return ce.SpecVersion()
	}
	var e struct{ SpecVersion string }
	_ = json.Unmarshal(body, &e) // what is no envelope has no version
	return e.SpecVersion
}

func extension(ce cloudevents.Event, name string) string {
	text, _ := ce.Extensions()[name].(string)
	return text
}

func number(ce cloudevents.Event, name string) (int64, error) {
	text := extension(ce, name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > MaxSeq {
		return 0, fmt.Errorf("the extension %s is %.40q, not a number from 1 to %d", name, text, MaxSeq)
	}
	return n, nil
}

func incarnation(ce cloudevents.Event) (in Incarnation, err error) {
	first, since := extension(ce, "incarnationfirst"), extension(ce, "incarnationsince")
	if in.ID = extension(ce, "incarnation"); in.ID == "" {
		if first != "" || since != "" {
			return in, errors.New("the extension incarnation is missing beside incarnationfirst and incarnationsince")
		}
		return in, nil
	}
	if !validID.MatchString(in.ID) {
		return in, fmt.Errorf("the extension incarnation is %.40q: 1 to 128 of A-Z a-z 0-9 . _ : - are allowed", in.ID)
	}
	if in.First, err = number(ce, "incarnationfirst"); err != nil {
		return in, err
	}
	if in.Since, err = time.Parse(time.RFC3339, since); err != nil {
		return in, fmt.Errorf("the extension incarnationsince is %.40q, not a time like 2006-01-02T15:04:05Z", since)
	}
	in.Since = in.Since.UTC()
	return in, nil
}
