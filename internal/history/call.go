package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Call is one request of a client and what became of it.
type Call struct {
	// Client and Target say who called whom; they are for people.
	Client, Target string
	// Method is PUT, PATCH, DELETE or GET; Body is JSON, a merge patch for PATCH.
	Method, Body string
	// IfMatch and IfNoneMatch are the conditions, one entity tag or *; "" for none.
	IfMatch, IfNoneMatch string
	// IdempotencyKey is the header's value to the letter.
	IdempotencyKey string
	// Current: a GET with Cache-Control: no-cache.
	Current bool
	// Keeps are the members that the target's version does not know: a PUT leaves them.
	Keeps []string
	// Trace is the W3C trace id that the request carried: its event has it too.
	Trace string

	Start, End time.Time
	Outcome    Outcome
	Answer     Answer
	// Effect is what others have seen of it.
	Effect Effect

	// again is how many equal ones began before it, of those of which nobody knows anything.
	again int
}

// Answer is what the client was told.
type Answer struct {
	Status int
	ETag   string
	Body   string
	// Problem is the type of the problem, without urn:relaybox:problem:.
	Problem string
}

// Outcome is what the client may conclude from how a call ended.
type Outcome int

// The outcomes.
const (
	// Open: nobody knows; it may still take effect, whenever.
	Open Outcome = iota
	// Answered: the answer tells the truth about one moment of the call.
	Answered
	// NotStored: the client was told, or knows, that nothing was stored.
	NotStored
)

// String is the outcome as the transcript has it.
func (o Outcome) String() string { return [...]string{"open", "answered", "not stored"}[o] }

// Effect is what became of a call by the witness of others: the version that it made.
type Effect int64

// What is no version.
const (
	// Unseen: nobody has looked.
	Unseen Effect = 0
	// NoEffect: it has not changed the entity, and never will.
	NoEffect Effect = -1
)

// Classify reads how a call ended: what was answered, or the error of the transport.
func Classify(status int, h http.Header, body []byte, err error) (Outcome, Answer) {
	a := Answer{Status: status, ETag: h.Get("ETag"), Body: string(body)}
	if err != nil {
		a = Answer{Problem: err.Error()}
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
			return NotStored, a // nobody has got it
		}
		return Open, a
	}
	if status < 300 {
		return Answered, a
	}
	var problem struct{ Type string }
	_ = json.Unmarshal(body, &problem) // the host's own answers are no problems
	a.Problem = strings.TrimPrefix(problem.Type, "urn:relaybox:problem:")
	switch a.Problem {
	case "not-found", "precondition-failed", "idempotency-key-reused":
		return Answered, a
	case "outcome-unknown":
		return Open, a
	case "":
		if status >= 500 {
			return Open, a // the handler died, or did not answer the host
		}
	}
	return NotStored, a
}

// String is the call as a line of a transcript.
func (c Call) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s→%s %s", c.Client, c.Target, c.Method)
	if c.Current {
		b.WriteString(" no-cache")
	}
	if c.Body != "" {
		fmt.Fprintf(&b, " %.120s", c.Body)
	}
	for _, part := range [][2]string{{"If-Match", c.IfMatch}, {"If-None-Match", c.IfNoneMatch}, {"key", c.IdempotencyKey}, {"trace", c.Trace}} {
		if part[1] != "" {
			fmt.Fprintf(&b, " %s=%s", part[0], part[1])
		}
	}
	fmt.Fprintf(&b, " ⇒ %v", c.Outcome)
	if c.Answer.Status != 0 {
		fmt.Fprintf(&b, " %d %s", c.Answer.Status, c.Answer.ETag)
	}
	if c.Answer.Problem != "" {
		fmt.Fprintf(&b, " (%.160s)", c.Answer.Problem)
	} else if c.Method == http.MethodGet && c.Answer.Status == http.StatusOK {
		fmt.Fprintf(&b, " %.160s", c.Answer.Body)
	}
	switch {
	case c.Effect > 0:
		fmt.Fprintf(&b, "; made version %d", c.Effect)
	case c.Effect == NoEffect:
		b.WriteString("; no effect seen")
	}
	return b.String()
}

// request is what a repetition under the same Idempotency-Key must be equal in.
func (c *Call) request() string {
	return strings.Join([]string{c.Method, c.IfMatch, c.IfNoneMatch, c.Body}, "\n")
}

// unknown: neither its client nor anybody else knows what became of it.
func (c *Call) unknown() bool { return c.Outcome == Open && c.Effect == Unseen }

// sent is what unknown calls are equal in.
func (c *Call) sent() string { return c.IdempotencyKey + "\n" + c.request() }

// ofResource are the members of an answer that are not the client's.
var ofResource = []string{"id", "version", "updatedAt"}

// content is a body as the entity's members, canonical: members without a value are left out.
func content(members map[string]any) string {
	kept := make(map[string]any, len(members))
	for name, value := range members {
		if value != nil && value != "" {
			kept[name] = value
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return "unreadable: " + err.Error() // it was JSON before
	}
	return string(text)
}

func members(text string) (map[string]any, error) {
	var m map[string]any
	err := json.Unmarshal([]byte(text), &m)
	return m, err
}

// Content is what an answer shows of the entity as canonical JSON: without what is not the
// client's, without members that have no value.
func (a Answer) Content() string {
	text, err := a.shown()
	if err != nil {
		return a.Body
	}
	return text
}

// shown is Content, or what is wrong with the body.
func (a Answer) shown() (string, error) {
	m, err := members(a.Body)
	if err != nil {
		return "", err
	}
	for _, name := range ofResource {
		delete(m, name)
	}
	return content(m), nil
}

// Version takes an entity tag apart: the version, and the incarnation that it counts in.
// 0 for what is no tag of ours.
func Version(etag string) (version int64, life string) {
	text, err := strconv.Unquote(etag)
	if err != nil {
		return 0, ""
	}
	text, life, _ = strings.Cut(text, "-")
	if version, err = strconv.ParseInt(text, 10, 64); err != nil {
		return 0, ""
	}
	return version, life
}
