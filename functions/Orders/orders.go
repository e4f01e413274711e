// Package orders answers all methods of /api/orders/{id}, and POST to its actions.
package orders

import (
	"net/http"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/examples/orders"
)

// New returns the function.
func New(d entity.Deps) (http.Handler, error) { return orders.Kind.Resource(d) }
