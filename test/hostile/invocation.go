package hostile

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// Envelope is a valid event of profile ann, its second, with changes; nil removes an
// attribute.
func Envelope(changes map[string]any) []byte {
	return merged(map[string]any{
		"specversion": "1.0", "id": "e-2", "source": "/test/profile", "type": "relaybox.profile.updated", "subject": "ann",
		"sequence": "00000000000000000002", "partitionkey": "profile:ann",
		"incarnation": "0123456789abcdef", "incarnationfirst": "00000000000000000001", "incarnationsince": "2026-01-01T00:00:00Z", "incarnationdrawn": "2026-01-01T00:00:00Z",
		"datacontenttype": "application/json", "data": map[string]any{"id": "ann", "state": map[string]any{"displayName": "Ann"}},
	}, changes)
}

// Invocation is a Service Bus invocation with dataType binary; metadata changes what the
// broker says, nil removes.
func Invocation(message []byte, metadata map[string]any) []byte {
	text := func(s string) string { return strconv.Quote(s) } // the host sends text twice encoded
	var meta any
	_ = json.Unmarshal(merged(map[string]any{
		"DeliveryCount": "1", "MessageId": text("e-2"), "SessionId": text("profile:ann"), "sys": map[string]any{"MethodName": "ConsumeEvent"},
	}, metadata), &meta)
	return merged(map[string]any{"Data": map[string]any{"message": base64.StdEncoding.EncodeToString(message)}, "Metadata": meta}, nil)
}

func merged(into, changes map[string]any) []byte {
	maps.Copy(into, changes)
	for name, value := range changes {
		if value == nil {
			delete(into, name)
		}
	}
	text, err := json.Marshal(into)
	if err != nil {
		panic(err) // it came from JSON
	}
	return text
}

// CheckInvocation compares the answer to an invocation with what is wanted in a state.
func (c Case) CheckInvocation(state string, status int, body []byte) error {
	want, text := c.Want(state), string(body)
	names := want.Kind + ": "
	var told struct{ Logs []string }
	switch {
	case status != want.Status:
		return fmt.Errorf("answered %d, not %d: %.600s", status, want.Status, text)
	case text == "":
		return errors.New("the host waits for ever for an empty answer")
	case !strings.Contains(text, want.Says):
		return fmt.Errorf("does not say %q: %.600s", want.Says, text)
	case status == http.StatusMethodNotAllowed, status == http.StatusNotFound:
	case status == http.StatusOK:
		if err := json.Unmarshal(body, &told); err != nil {
			return err
		}
		if c.Target != "/OutboxDispatcher" && len(told.Logs) > 0 { // a sweep may have something to tell
			return fmt.Errorf("says of itself %q", told.Logs)
		}
	case want.Kind == "-":
		if strings.Contains(text, "bad-") {
			return fmt.Errorf("refused, which it is not: %.600s", text)
		}
	case !strings.Contains(text, names):
		return fmt.Errorf("is not refused as %s%.600s", names, text)
	}
	return nil
}

// Delivery is the message of a case as a broker can bring it: not of one in which the broker
// itself says something strange, or that is no message at all.
func (c Case) Delivery() (body []byte, ok bool) {
	return c.message.body, c.message.body != nil && c.message.metadata == nil
}

// message is what the lines of a case in invocations.txt say of a Service Bus message.
type message struct {
	body     []byte
	metadata map[string]any
}

// addMessage reads the lines of invocations.txt that requests.txt does not have.
func (c *Case) addMessage(sign byte, text string) error {
	var changes map[string]any
	switch sign {
	case '$':
		body, err := strconv.Unquote(text)
		if err != nil {
			return err
		}
		c.message.body = []byte(expand(body))
	default:
		if err := json.Unmarshal([]byte(expand(text)), &changes); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		if sign == '+' {
			c.message.body = Envelope(changes)
		} else {
			c.message.metadata = changes
		}
	}
	if c.message.body == nil {
		c.message.body = Envelope(nil)
	}
	c.Body, c.HasBody = string(Invocation(c.message.body, c.message.metadata)), true
	return nil
}
