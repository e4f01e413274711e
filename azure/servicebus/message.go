package servicebus

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/relaybox/relaybox/outbox"
)

// contentType is the structured mode of the CloudEvents AMQP binding.
const contentType = "application/cloudevents+json"

// maxName is the broker's limit for message ids, in characters.
const maxName = 128

// message is e as it travels: MessageId for the broker's duplicate detection,
// SessionId for order per key among subscribers who ask for sessions.
func message(e *outbox.Event) *azservicebus.Message {
	ct := contentType
	properties := map[string]any{"seq": e.Seq}
	if e.Trace.Parent != "" {
		properties["traceparent"] = e.Trace.Parent
		if e.Trace.State != "" {
			properties["tracestate"] = e.Trace.State
		}
	}
	if e.ReplayFor != "" {
		properties["replayfor"] = e.ReplayFor
	}
	session := outbox.Session(e.Key)
	return &azservicebus.Message{
		MessageID: &e.ID, SessionID: &session, Subject: &e.Type, ContentType: &ct,
		Body: e.Envelope, ApplicationProperties: properties,
	}
}

// check finds what the broker would refuse with an error that the SDK reports as a
// lost connection.
func check(e *outbox.Event) error {
	switch {
	case e.ID == "" || utf8.RuneCountInString(e.ID) > maxName:
		return fmt.Errorf("message id %.20q… has no or more than %d characters", e.ID, maxName)
	case e.Key == "":
		return errors.New("an event without a key has no session")
	}
	return nil
}
