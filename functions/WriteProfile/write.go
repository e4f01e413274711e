// Package writeprofile answers PUT, PATCH and DELETE of /api/profiles/{id}.
package writeprofile

import (
	"net/http"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/profile"
)

// New returns the function.
func New(d entity.Deps) (http.Handler, error) { return profile.Kind.Writes(d) }
