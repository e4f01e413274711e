package minibus

import "net/http"

// put creates or updates.
func (a *admin) put(r *adminRequest) (any, *adminError) { return nil, r.unchanging(entityWrite) }

// delete removes.
func (a *admin) delete(r *adminRequest) (any, *adminError) { return nil, r.unchanging(entityDelete) }

// unchanging refuses what would change the topology: it is read once, when the broker is opened.
func (r *adminRequest) unchanging(action string) *adminError {
	if refusal := r.need(action); refusal != nil {
		return refusal
	}
	return refuse(http.StatusNotImplemented, "%s of '%s': entities cannot be changed while the broker runs. "+
		"Put the change into the topology (Config.json, or minibus.Config) and start again.", r.Method, r.URL.Path)
}
