package admin

import (
	"net/http"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minihost/internal/app"
	"github.com/relaybox/relaybox/local/minihost/internal/front"
	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// An API answers /admin/… (reference §5): what a developer needs locally.
type API struct {
	Root      string // the app folder
	Functions []*app.Definition
	Started   time.Time // of the host's run
	// Allowed checks the key of a request.
	Allowed func(*front.Request) bool
	// Run starts a sound function, without waiting for it; input is nil for none.
	Run func(f *app.Definition, input *string)
}

// Serve answers a request. The path has lost its prefix and outer slashes.
func (a *API) Serve(req *front.Request, path string) front.Response {
	parts := strings.Split(strings.ToLower(path), "/")
	get := req.Method == http.MethodGet || req.Method == http.MethodHead
	post := req.Method == http.MethodPost
	if len(parts) == 2 && parts[0] == "host" && parts[1] == "ping" && (get || post) {
		return front.Response{Status: http.StatusOK, Fields: wire.Fields{{Name: "Cache-Control", Value: "no-store,no-cache"}, {Name: "Pragma", Value: "no-cache"}}}
	}
	if !a.Allowed(req) {
		return front.Unauthorized()
	}
	switch {
	case get && path != "" && strings.EqualFold(path, "host/status"):
		return asJSON(a.hostStatus())
	case get && len(parts) == 1 && parts[0] == "functions":
		list := []functionInfo{}
		for _, f := range a.Functions {
			list = append(list, a.info(req, f))
		}
		return asJSON(list)
	case parts[0] != "functions" || len(parts) < 2 || len(parts) > 3:
		return front.Response{Status: http.StatusNotFound}
	case post && len(parts) == 2:
		return a.manualRun(req, parts[1])
	}
	f := a.byName(parts[1])
	switch {
	case f == nil || !get:
		return front.Response{Status: http.StatusNotFound}
	case len(parts) == 2:
		return asJSON(a.info(req, f))
	case parts[2] == "status":
		return asJSON(struct {
			Errors []string `json:"errors,omitempty"`
		}{f.Errors})
	}
	return front.Response{Status: http.StatusNotFound}
}

func (a *API) byName(name string) *app.Definition {
	for _, f := range a.Functions {
		if strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}
