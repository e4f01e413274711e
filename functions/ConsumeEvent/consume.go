// Package consumeevent is the Service Bus function: it gives the events of all kinds their
// one effect on the read models.
package consumeevent

import (
	"log/slog"
	"net/http"

	"github.com/relaybox/relaybox/entity"
)

// New returns the function.
func New(kinds *entity.Kinds, in entity.Inbox, log *slog.Logger) http.Handler {
	return kinds.Consume("message", in, log)
}
