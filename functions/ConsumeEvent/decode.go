package consumeevent

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/profile"
)

// Faults of a message that no redelivery can mend.
var (
	errEnvelope = errors.New("the body is not a CloudEvents 1.0 JSON envelope")
	errID       = errors.New("the event's id cannot name a receipt: 1 to 128 of A-Z a-z 0-9 . _ : - are allowed")
	errSequence = errors.New(`the extension "sequence" is not a number from 1`)
	errSubject  = errors.New("the event's subject is not the id of a profile")
	errSession  = errors.New("the event's subject is not the message's session")
)

var validID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// event is an inbox event with what only the log wants.
type event struct {
	inbox.Event
	traceparent string
}

// decode reads the envelope from the body alone: in text mode the host lets a body
// replace the broker's metadata.
func decode(msg azfunc.Message) (event, error) {
	var ce cloudevents.Event
	if err := ce.UnmarshalJSON(msg.Body); err != nil {
		return event{}, fmt.Errorf("%w: %w", errEnvelope, err)
	}
	if err := ce.Validate(); err != nil {
		return event{}, fmt.Errorf("%w: %w", errEnvelope, err)
	}
	seq, err := sequence(ce)
	switch {
	case err != nil:
		return event{}, err
	case !validID.MatchString(ce.ID()):
		return event{}, fmt.Errorf("%w: %q", errID, ce.ID())
	case !profile.ValidID(ce.Subject()):
		return event{}, fmt.Errorf("%w: %q", errSubject, ce.Subject())
	case msg.SessionID != "" && msg.SessionID != ce.Subject():
		// Order and locks belong to the session: an event of another entity would race.
		return event{}, fmt.Errorf("%w: %q, %q", errSession, ce.Subject(), msg.SessionID)
	}
	traceparent, _ := ce.Extensions()["traceparent"].(string)
	return event{
		Event:       inbox.Event{Key: ce.Subject(), Seq: seq, ID: ce.ID(), Type: ce.Type(), Data: ce.Data()},
		traceparent: traceparent,
	}, nil
}

func sequence(ce cloudevents.Event) (int64, error) {
	text, _ := ce.Extensions()["sequence"].(string)
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 1 {
		return 0, fmt.Errorf("%w: %q", errSequence, text)
	}
	return seq, nil
}
