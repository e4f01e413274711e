package minicosmos

import (
	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/fault"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// Error is a refusal in the service's shape: an HTTP status with a JSON body of code
// and message. It is both the Go error and the reply.
//
//	Status     int           // of HTTP
//	Substatus  int           // x-ms-substatus, 0 for none
//	Code       string        // "BadRequest", "NotFound", …
//	Message    string        // for a person
//	Info       string        // "additionalErrorInfo", for the client; "" for none
//	RetryAfter time.Duration // what a throttled client is asked to wait, 0 for nothing
//
// *Error is the error: its method Error is the status, the code and the message.
type Error = refusal.Error

var (
	// ErrFault: a fault cannot be injected; the text names the field and the remedy.
	ErrFault = fault.ErrFault
	// ErrSplit: a range cannot be split.
	ErrSplit = account.ErrSplit
)
