package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/outbox"
)

// Problem is one error with everything that the client is told.
type Problem struct {
	Kind
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"`
	// Position is where the body is wrong.
	*Position
	// Field and Header name what is wrong when it is one thing, Errors when there
	// may be several.
	Field  string       `json:"field,omitempty"`
	Header string       `json:"header,omitempty"`
	Errors []FieldError `json:"errors,omitempty"`
	// Size and Limit are bytes.
	Size  int `json:"size,omitempty"`
	Limit int `json:"limit,omitempty"`

	// RetryAfter is sent in whole seconds, rounded up.
	RetryAfter time.Duration `json:"-"`
	// Offer is a header that says what would be accepted: Allow, Accept-Patch.
	Offer [2]string `json:"-"`
	// Cause is for the log only.
	Cause error `json:"-"`
}

// Position is a place in the body: Offset in bytes from 0, Line and Column (in
// characters) from 1.
type Position struct {
	Offset int `json:"offset"`
	Line   int `json:"line"`
	Column int `json:"column"`
}

// FieldError says what is wrong with one field.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// New returns a problem of the kind k.
func New(k Kind, format string, args ...any) *Problem {
	return &Problem{Kind: k, Detail: fmt.Sprintf(format, args...)}
}

// Error is the title and the cause; without one, the detail that the client gets.
func (p *Problem) Error() string {
	if p.Cause != nil {
		return fmt.Sprintf("%s: %v", p.Title, p.Cause)
	}
	return p.Title + ": " + p.Detail
}

// Unwrap returns Cause.
func (p *Problem) Unwrap() error { return p.Cause }

// Keep is the problem as an answer that can be stored and given again, by Kept: without what
// belongs to one request.
func (p *Problem) Keep() (outbox.Answer, error) {
	kept := *p
	kept.Instance = ""
	body, err := json.Marshal(&kept)
	return outbox.Answer{Status: p.Status, Body: body}, err
}

// Kept is the problem that Keep has made a of.
func Kept(a outbox.Answer) *Problem {
	p := &Problem{}
	if err := json.Unmarshal(a.Body, p); err != nil || p.Status != a.Status {
		p = New(Internal, "The log has the details under this instance.")
		p.Cause = errors.Join(fmt.Errorf("the stored answer with status %d is no problem", a.Status), err)
	}
	return p
}

// Answer ends a request with err. It logs what an operator should know of: the faults
// of the store and ours, not the client's.
func Answer(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	p := *From(r.Context(), err)
	p.Instance = azfunc.InvocationID(r.Header)
	if level, worth := p.level(); worth {
		log.Log(r.Context(), level, p.Title, "invocation", p.Instance, "method", r.Method, "path", r.URL.Path,
			"status", p.Status, "error", err)
	}
	body, err := json.Marshal(&p)
	if err != nil { // strings and numbers always encode
		log.ErrorContext(r.Context(), "encode problem", "error", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((p.RetryAfter+time.Second-1)/time.Second), 10))
	}
	if p.Offer[0] != "" {
		h.Set(p.Offer[0], p.Offer[1])
	}
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone
	}
}

func (p *Problem) level() (slog.Level, bool) {
	switch {
	case p.Status == http.StatusInternalServerError, outbox.ClassOf(p.Cause) == outbox.Unauthorized:
		return slog.LevelError, true
	case p.Status >= 500, p.Status == http.StatusTooManyRequests:
		return slog.LevelWarn, true
	}
	return slog.LevelDebug, false
}
