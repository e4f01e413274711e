package admin

import (
	"net/http"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minibus/internal/atom"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
)

// authorize checks the token of a request as $cbs checks it: signature, expiry, and that it was made for this path or
// one above. The host is not compared: clients sign the name by which they know the broker, and reach it under another.
func (a *Handler) authorize(r *http.Request) (map[sas.Claim]bool, *atom.Refusal) {
	token := r.Header.Get("Authorization")
	if token == "" {
		return nil, atom.Refuse(http.StatusUnauthorized, "MissingToken: The request has no Authorization header. Send a shared access signature.")
	}
	if !strings.HasPrefix(token, sas.Prefix) {
		if !a.jwt {
			return nil, atom.Refuse(http.StatusUnauthorized, "InvalidToken: The token is not a shared access signature, and others are not accepted here.")
		}
		return map[sas.Claim]bool{sas.Manage: true}, nil
	}
	s, refusal := a.keys.Authenticate(token, time.Now(), a.b.Keys(r.URL.Path))
	if refusal != "" {
		return nil, atom.Refuse(http.StatusUnauthorized, "%s", refusal)
	}
	if !s.Reaches(r.URL.Path) {
		return nil, atom.Refuse(http.StatusUnauthorized, "%s", sas.WrongAudience(s.Resource, r.URL.Path))
	}
	return s.Claims, nil
}

// need refuses whoever has no Manage claim. The texts are the service's: clients look for them.
func (r *adminRequest) need(action string) *atom.Refusal {
	switch {
	case r.claims[sas.Manage]:
		return nil
	case r.to.Topic != "":
		return atom.Refuse(http.StatusUnauthorized, "401 SubCode=40100: Unauthorized : Unauthorized access for '%s%s' operation on '%s'. The token needs the Manage claim.",
			operation(r.to, action), thing(r.to), r.to.Path())
	case action == entityRead:
		return atom.Refuse(http.StatusUnauthorized, "Manage,%s claims required for this operation.", action)
	}
	return atom.Refuse(http.StatusUnauthorized, "Authorization failed for specified action: Manage,%s.", action)
}

// Actions, as the service names them in refusals.
const (
	entityRead   = "EntityRead"
	entityWrite  = "EntityWrite"
	entityDelete = "EntityDelete"
)

// thing is what the service calls the target of an operation.
func thing(t atom.Target) string {
	switch t.Kind {
	case atom.AtSubscription:
		return "Subscription"
	case atom.AtSubscriptions:
		return "Subscriptions"
	case atom.AtRule:
		return "Rule"
	case atom.AtRules:
		return "Rules"
	}
	return "Entity"
}

// operation is what the service calls an action on the target.
func operation(t atom.Target, action string) string {
	switch {
	case action == entityWrite:
		return "CreateOrUpdate"
	case action == entityDelete:
		return "Delete"
	case t.Kind == atom.AtSubscriptions || t.Kind == atom.AtRules:
		return "Enumerate"
	}
	return "Get"
}
