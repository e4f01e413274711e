// Package readprofile answers GET and HEAD of /api/profiles/{id}.
package readprofile

import (
	"net/http"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/profile"
)

// New returns the function.
func New(d entity.Deps) (http.Handler, error) { return profile.Kind.Reads(d) }
