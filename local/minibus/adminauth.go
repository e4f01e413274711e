package minibus

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// authorize checks the token of a request as $cbs checks it: signature, expiry, and that it was made for this path or
// one above. The host is not compared: clients sign the name by which they know the broker, and reach it under another.
func (a *admin) authorize(r *http.Request) (map[Claim]bool, *adminError) {
	token := r.Header.Get("Authorization")
	if token == "" {
		return nil, refuse(http.StatusUnauthorized, "MissingToken: The request has no Authorization header. Send a shared access signature.")
	}
	if !strings.HasPrefix(token, sasPrefix) {
		if !a.b.jwt {
			return nil, refuse(http.StatusUnauthorized, "InvalidToken: The token is not a shared access signature, and others are not accepted here.")
		}
		return map[Claim]bool{Manage: true}, nil
	}
	s, refusal := a.b.authenticate(token, time.Now())
	if refusal != "" {
		return nil, refuse(http.StatusUnauthorized, "%s", refusal)
	}
	path, err := signedPath(s.resource)
	if err != nil || !covers(path, strings.ToLower(strings.Trim(r.URL.Path, "/"))) {
		return nil, refuse(http.StatusUnauthorized, "%s", wrongAudience(s.resource, r.URL.Path))
	}
	return s.claims, nil
}

// signedPath is the path for which a token was made, in lower case and unescaped: the URL of a request with its
// query, of an entity, or the name of the namespace alone.
func signedPath(resource string) (string, error) {
	_, path, _ := strings.Cut(authority(resource), "/")
	path, _, _ = strings.Cut(path, "?")
	path, err := url.PathUnescape(path)
	return strings.ToLower(strings.Trim(path, "/")), err // again: what was escaped was not seen
}

// need refuses whoever has no Manage claim. The texts are the service's: clients look for them.
func (r *adminRequest) need(action string) *adminError {
	switch {
	case r.claims[Manage]:
		return nil
	case r.to.topic != "":
		return refuse(http.StatusUnauthorized, "401 SubCode=40100: Unauthorized : Unauthorized access for '%s%s' operation on '%s'. The token needs the Manage claim.",
			r.to.operation(action), r.to.thing(), r.to.path())
	case action == entityRead:
		return refuse(http.StatusUnauthorized, "Manage,%s claims required for this operation.", action)
	}
	return refuse(http.StatusUnauthorized, "Authorization failed for specified action: Manage,%s.", action)
}

// Actions, as the service names them in refusals.
const (
	entityRead   = "EntityRead"
	entityWrite  = "EntityWrite"
	entityDelete = "EntityDelete"
)
