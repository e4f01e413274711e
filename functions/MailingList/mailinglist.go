// Package mailinglist is the Service Bus function of a second consumer: it keeps the mailing
// list, from a subscription of its own.
package mailinglist

import (
	"log/slog"
	"net/http"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/examples/mailing"
)

// New returns the function.
func New(in entity.Inbox, log *slog.Logger) (http.Handler, error) {
	return mailing.List.Consume("message", in, log)
}
