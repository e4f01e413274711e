package refusal

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/relaybox/relaybox/local/disk"
)

// Error is a refusal in the service's shape: an HTTP status with a JSON body of code
// and message. It is both the Go error and the reply.
type Error struct {
	Status    int    // HTTP status
	Substatus int    // x-ms-substatus, 0 for none
	Code      string // "BadRequest", "NotFound", …
	Message   string // for a person
	Info      string // "additionalErrorInfo", for the client; "" for none
	// RetryAfter is what a throttled client is asked to wait.
	RetryAfter time.Duration
}

// Error is the status, the code and the message.
func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// Substatus codes (reference: azcosmos cosmos_http_constants.go).
const (
	substatusPartitionKeyMismatch = 1001
	SubstatusRangeGone            = 1002 // with 410
	substatusSession              = 1002 // with 404
	substatusAnswerTooLarge       = 3402 // with 413
)

// Refusals that need no detail.
var (
	// NotFound: the addressed document, container or database does not exist.
	NotFound = &Error{Status: http.StatusNotFound, Code: "NotFound",
		Message: "Entity with the specified id does not exist in the system."}
	// Conflict: a resource with that id exists already.
	Conflict = &Error{Status: http.StatusConflict, Code: "Conflict",
		Message: "Entity with the specified id already exists in the system."}
	// Unique: another document of the logical partition has the values of a unique key.
	Unique = &Error{Status: http.StatusConflict, Code: "Conflict",
		Message: "Unique index constraint violation: another document of this partition key has the same values at the paths of a unique key."}
	// Precondition: If-Match names another version than the stored one, or a patch
	// condition does not hold. Read again and decide again.
	Precondition = &Error{Status: http.StatusPreconditionFailed, Code: "PreconditionFailed",
		Message: "Operation cannot be performed because one of the specified precondition is not met."}
	// Dependency: another operation of the batch failed.
	Dependency = &Error{Status: http.StatusFailedDependency, Code: "FailedDependency",
		Message: "Another operation of the batch failed."}
	// TooLarge: the request, a document or a batch exceeds 2 MB.
	TooLarge = &Error{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge",
		Message: "Request size is too large: requests, documents and batches are limited to 2 MB."}
	// AnswerTooLarge: what a bulk reads does not fit into its answer. Read it again, with less beside it.
	AnswerTooLarge = &Error{Status: http.StatusRequestEntityTooLarge, Substatus: substatusAnswerTooLarge, Code: "RequestEntityTooLarge",
		Message: "The answer to a bulk is limited to 4 MB: read this document again."}
	// KeyMismatch: the partition key in the header is not the document's.
	KeyMismatch = &Error{Status: http.StatusBadRequest, Substatus: substatusPartitionKeyMismatch, Code: "BadRequest",
		Message: "PartitionKey extracted from document doesn't match the one specified in the header."}
	// Session: a token is ahead of everything that the account has. It is another account's, or another container's.
	Session = &Error{Status: http.StatusNotFound, Substatus: substatusSession, Code: "NotFound",
		Message: "The read session is not available for the input session token."}
	// KeysGone: a range of keys lies in several physical ranges, as after a split.
	KeysGone = &Error{Status: http.StatusGone, Substatus: SubstatusRangeGone, Code: "Gone",
		Message: "The keys lie in several ranges: read the ranges again."}
	// Closed: the server is closing; nothing was stored.
	Closed = &Error{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable",
		Message: "The server is closing; nothing was stored."}
)

// BadRequest is a 400 with a message.
func BadRequest(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: fmt.Sprintf(format, args...)}
}

// Unauthorized is a 401 with a message.
func Unauthorized(format string, args ...any) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "Unauthorized", Message: fmt.Sprintf(format, args...)}
}

// NotAllowed is a 405 with a message.
func NotAllowed(format string, args ...any) *Error {
	return &Error{Status: http.StatusMethodNotAllowed, Code: "MethodNotAllowed", Message: fmt.Sprintf(format, args...)}
}

// Internal wraps a fault of the store. The outcome of a write that got it is unknown, but when the disk is full: then nothing
// was stored.
func Internal(err error) *Error {
	if full := (*disk.FullError)(nil); errors.As(err, &full) {
		return &Error{Status: http.StatusInsufficientStorage, Code: "InsufficientStorage", Message: "Nothing was stored: " + full.Error() + "."}
	}
	return &Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: err.Error()}
}

// RangeGone is the refusal of a range that does not exist, or not any more.
func RangeGone(id int) *Error {
	return &Error{Status: http.StatusGone, Substatus: SubstatusRangeGone, Code: "Gone",
		Message: "The partition key range " + strconv.Itoa(id) + " is gone: read the ranges again."}
}

// Throttled is a 429 that asks for patience.
func Throttled(wait time.Duration) *Error {
	return &Error{Status: http.StatusTooManyRequests, Substatus: 3200, Code: "TooManyRequests", RetryAfter: max(wait, time.Millisecond),
		Message: "The request rate is too large. Please retry after sometime."}
}

// Of returns a fault of the store as a refusal.
func Of(err error) *Error {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return Internal(err)
}
