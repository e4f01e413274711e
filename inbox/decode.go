package inbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"regexp"
	"strconv"
	"strings"
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
	// BadEntityVersion: the extension entityversion is there, and no number that a version can be.
	BadEntityVersion Reason = "bad-entity-version"
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

// maxDetail bounds a refusal's text, in bytes: it goes to logs on every delivery, and quotes
// whatever was sent.
const maxDetail = 500

// Refuse returns a *RefusedError.
func Refuse(reason Reason, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...)
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "") + "…"
	}
	return &RefusedError{Reason: reason, Detail: detail}
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
// incarnation, incarnationfirst, incarnationsince and incarnationdrawn. It may have entityversion. The key is the extension
// partitionkey, or the subject without one. Its error is a *RefusedError.
//
// Only the body counts: what travels beside it can be changed on the way.
func Decode(body []byte) (Event, error) {
	var ce cloudevents.Event
	if !json.Valid(body) { // the SDK would take the first of two documents
		return Event{}, Refuse(BadEnvelope, "the body is not one JSON document")
	}
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
	if !isJSON(ce.DataContentType()) {
		return Event{}, Refuse(BadEnvelope, "datacontenttype is %.80q; the data of an event is JSON", ce.DataContentType())
	}
	if !validID.MatchString(ce.ID()) {
		return Event{}, Refuse(BadID, "the id %.40q cannot name a receipt: 1 to 128 of A-Z a-z 0-9 . _ : - are allowed", ce.ID())
	}
	ext := extensions(ce.Extensions())
	e := Event{
		Key: ext.text("partitionkey"), ID: ce.ID(), Type: ce.Type(), Source: ce.Source(), Subject: ce.Subject(), Time: ce.Time(),
		Data: ce.Data(), TraceParent: ext.text("traceparent"), TraceState: ext.text("tracestate"),
	}
	if e.Key == "" {
		e.Key = e.Subject
	}
	if e.Key == "" || len(e.Key) > 1023 {
		return Event{}, Refuse(BadKey, "the extension partitionkey, or the subject without one, must name what the event is about in 1 to 1023 bytes")
	}
	if e.Seq, err = ext.number("sequence"); err != nil {
		return Event{}, Refuse(BadSequence, "%v", err)
	}
	if e.Incarnation, err = ext.incarnation(); err != nil {
		return Event{}, Refuse(BadIncarnation, "%v", err)
	}
	if _, told := ext["entityversion"]; told {
		if e.Version, err = ext.number("entityversion"); err != nil {
			return Event{}, Refuse(BadEntityVersion, "%v", err)
		}
	}
	if e.Seq < e.Incarnation.First {
		return Event{}, Refuse(BadSequence, "sequence %d is below the first number of its incarnation, %d", e.Seq, e.Incarnation.First)
	}
	return e, nil
}

// isJSON says whether a media type is one of JSON; without one, the data of an envelope is.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == cloudevents.ApplicationJSON || strings.HasSuffix(media, "+json"))
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

// extensions are those of an envelope, whose method makes a new map each time.
type extensions map[string]any

func (x extensions) text(name string) string {
	text, _ := x[name].(string)
	return text
}

func (x extensions) number(name string) (int64, error) {
	text := x.text(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > MaxSeq {
		return 0, fmt.Errorf("the extension %s is %.40q, not a number from 1 to %d", name, text, MaxSeq)
	}
	return n, nil
}

func (x extensions) incarnation() (in Incarnation, err error) {
	if in.ID = x.text("incarnation"); in.ID == "" {
		for _, name := range []string{"incarnationfirst", "incarnationsince", "incarnationdrawn"} {
			if x.text(name) != "" {
				return in, fmt.Errorf("the extension incarnation is missing beside %s", name)
			}
		}
		return in, nil
	}
	if !validID.MatchString(in.ID) {
		return in, fmt.Errorf("the extension incarnation is %.40q: 1 to 128 of A-Z a-z 0-9 . _ : - are allowed", in.ID)
	}
	if in.First, err = x.number("incarnationfirst"); err != nil {
		return in, err
	}
	if in.Since, err = x.moment("incarnationsince"); err != nil {
		return in, err
	}
	in.Drawn, err = x.moment("incarnationdrawn")
	return in, err
}

// maxAhead is how far a clock may be ahead of ours: a stamp of the far future would keep every
// later incarnation out.
const maxAhead = 24 * time.Hour

func (x extensions) moment(name string) (time.Time, error) {
	text := x.text(name)
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return at, fmt.Errorf("the extension %s is %.40q, not a time like 2006-01-02T15:04:05Z", name, text)
	case at.After(time.Now().Add(maxAhead)):
		return at, fmt.Errorf("the extension %s is %.40q, more than a day from now", name, text)
	}
	return at.UTC(), nil
}
