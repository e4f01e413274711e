// Package problem answers what went wrong as problem+json (RFC 9457).
//
// It promises that every error of a function becomes one document with a type, a
// title, the status and a detail that says what to do; that the instance is the host's
// invocation id, by which the log can be searched; that an answer which says "try
// again" says when; that nothing was stored, whatever the problem, unless its type is
// outcome-unknown; and that nothing internal leaks: an error that nobody classified is
// a 500 without its text. It does not promise a fixed wording: programs look at the
// type, which is urn:relaybox:problem: and the name of the kind as listed below.
package problem

import (
	"net/http"
	"slices"
)

// Kind is one sort of problem; its fields are the same in every document of it.
type Kind struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
}

// Kinds of problems: the request is to be changed.
var (
	MalformedJSON  = kind("malformed-json", "The body is not valid JSON", http.StatusBadRequest)    // with offset, line, column
	UnknownField   = kind("unknown-field", "The body has an unknown field", http.StatusBadRequest)  // with offset, line, column, field
	DuplicateField = kind("duplicate-field", "The body names a field twice", http.StatusBadRequest) // with offset, line, column, field
	BadID          = kind("bad-id", "The id is not allowed", http.StatusBadRequest)
	BadHeader      = kind("bad-header", "A header cannot be understood", http.StatusBadRequest) // with header
	BodyCutShort   = kind("body-cut-short", "The body ended before its length", http.StatusBadRequest)
	NotFound       = kind("not-found", "There is no such thing", http.StatusNotFound)
	BadMethod      = kind("method-not-allowed", "The method is not offered", http.StatusMethodNotAllowed)
	LengthRequired = kind("length-required", "The body's length is missing", http.StatusLengthRequired)
	Precondition   = kind("precondition-failed", "The entity is at another version", http.StatusPreconditionFailed)
	BodyTooLarge   = kind("body-too-large", "The body is too large", http.StatusRequestEntityTooLarge)                 // with limit in bytes
	EventTooLarge  = kind("event-too-large", "The change is too large for an event", http.StatusRequestEntityTooLarge) // with size and limit in bytes
	MediaType      = kind("unsupported-media-type", "The body's format is not accepted", http.StatusUnsupportedMediaType)
	WrongState     = kind("wrong-state", "The entity's state does not allow this", http.StatusConflict)
	Invalid        = kind("invalid-entity", "The entity is not valid", http.StatusUnprocessableEntity) // with errors
	KeyReused      = kind("idempotency-key-reused", "The Idempotency-Key belongs to another request", http.StatusUnprocessableEntity)
)

// Kinds of problems: the same request may succeed later; all have Retry-After.
var (
	InProgress  = kind("request-in-progress", "The same request is being carried out", http.StatusConflict)
	Throttled   = kind("throttled", "Too many requests", http.StatusTooManyRequests)
	Unavailable = kind("unavailable", "This is not possible at the moment", http.StatusServiceUnavailable)
	Unknown     = kind("outcome-unknown", "Nobody knows whether the change was made", http.StatusServiceUnavailable)
)

// Internal: a fault of ours.
var Internal = kind("internal", "Something went wrong here", http.StatusInternalServerError)

// all has every Kind, because kind puts it there.
var all []Kind

// All are the kinds of problems, in the order above.
func All() []Kind { return slices.Clone(all) }

func kind(name, title string, status int) Kind {
	k := Kind{Type: "urn:relaybox:problem:" + name, Title: title, Status: status}
	all = append(all, k)
	return k
}
