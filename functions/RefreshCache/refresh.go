// Package refreshcache is the Service Bus function that keeps the cache of reads true: it has a
// subscription of its own, and hears the events of all kinds.
package refreshcache

import (
	"log/slog"
	"net/http"

	"github.com/relaybox/relaybox/entity"
)

// New returns the function. Without a cache, h is nil.
func New(kinds *entity.Kinds, h entity.Hearer, log *slog.Logger) http.Handler {
	return kinds.Refresh("message", h, log)
}
