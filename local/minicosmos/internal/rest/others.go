package rest

import (
	"net/http"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// lists are the names of the feeds of what nobody can make here; operations have none.
var lists = map[string]string{
	"users": "Users", "permissions": "Permissions", "clientencryptionkeys": "ClientEncryptionKeys", "sprocs": "StoredProcedures", "triggers": "Triggers",
	"udfs": "UserDefinedFunctions", "conflicts": "Conflicts",
}

// other answers for what this server does not have: there is none of it, and none can be made.
func (s *Service) other(r *call) (*wire.Answer, *refusal.Error) {
	db, bad := s.Account.Database(r.Names[0])
	if bad != nil {
		return nil, bad
	}
	rid, path := db.RID, db.Path
	if len(r.Names) > 1 {
		var c *account.Container
		if c, bad = s.Account.Container(r.Names[0], r.Names[1]); bad != nil {
			return nil, bad
		}
		rid, path = c.RID, c.Path
	}
	last := r.Other[len(r.Other)-1]
	list, known := lists[last]
	feed := len(r.Other) == 1 && known
	switch {
	case r.Other[0] == "operations":
		return nil, refusal.NotAllowed("The operation %q is not supported here: delete the items one by one, or in batches.", last)
	case !feed:
		return nil, refusal.NotFound // also what is below it
	case r.Method == http.MethodGet, r.Method == http.MethodPost && r.IsQuery():
		return within(rid, path)(wire.Feed(rid, list, nil), nil)
	}
	return nil, refusal.NotAllowed("%s are not supported here.", list)
}
