package minicosmos

import (
	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/fault"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// Error is a refusal in the service's shape: an HTTP status with a JSON body of code
// and message. It is both the Go error and the reply.
type Error = refusal.Error

var (
	// ErrFault: a fault cannot be injected; the text names the field and the remedy.
	ErrFault = fault.ErrFault
	// ErrSplit: a range cannot be split.
	ErrSplit = account.ErrSplit
)
