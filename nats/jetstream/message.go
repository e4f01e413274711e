package jetstream

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/relaybox/relaybox/outbox"
)

// Headers of a message, beside the server's own.
const (
	headerContent = "content-type"
	headerType    = "type"
	headerSeq     = "seq"
	headerParent  = "traceparent"
	headerState   = "tracestate"
	headerReplay  = "replayfor"
)

// contentType is the structured mode of the CloudEvents NATS binding.
const contentType = "application/cloudevents+json"

// maxID is the longest id that is sent. The server remembers every one for the whole window.
const maxID = 128

// message is e as it travels. The body is the event's own, not a copy.
func (p *Publisher) message(e *outbox.Event) *nats.Msg {
	h := nats.Header{js.MsgIDHeader: {e.ID}, js.ExpectedStreamHeader: {p.stream}, headerContent: {contentType}, headerType: {e.Type}, headerSeq: {strconv.FormatInt(e.Seq, 10)}}
	if e.Trace.Parent != "" {
		h[headerParent] = []string{e.Trace.Parent}
		if e.Trace.State != "" {
			h[headerState] = []string{e.Trace.State}
		}
	}
	if e.ReplayFor != "" {
		h[headerReplay] = []string{e.ReplayFor}
	}
	return &nats.Msg{Subject: Subject(p.prefix, e.Key), Header: h, Data: e.Envelope}
}

// check finds what would not arrive as it is: the client trims headers and takes line ends out of
// them, and two ids that differ in that only would be one.
func check(e *outbox.Event) error {
	if e.Key == "" {
		return errors.New("an event without a key has no subject")
	}
	if e.ID == "" || len(e.ID) > maxID {
		return fmt.Errorf("message id %.20q… has no or more than %d bytes", e.ID, maxID)
	}
	for i := range len(e.ID) {
		if c := e.ID[i]; c <= ' ' || c > '~' {
			return fmt.Errorf("message id %.20q has a character that no header can carry", e.ID)
		}
	}
	return nil
}
