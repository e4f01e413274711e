package functions

import (
	"cmp"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/entity/api"
)

// OpenAPI describes the app: every HTTP function by its function.json and the kind that its
// handler serves, and the events of all kinds.
func OpenAPI() ([]byte, error) {
	known, err := Kinds()
	if err != nil {
		return nil, err
	}
	triggers, err := Triggers()
	if err != nil {
		return nil, err
	}
	todo := handlers(Deps{}, entity.Deps{Kinds: known}) // asked what they serve, never called
	var routes []api.Route
	for _, name := range slices.Sorted(maps.Keys(triggers)) {
		if t := triggers[name]; t.Type == httpTrigger {
			r := api.Route{Function: name, Route: t.Route, Methods: t.Methods, Document: name == "OpenAPI", Health: name == "Health"}
			r.Kind, r.Serves = entity.Serves(todo[name].handler)
			routes = append(routes, r)
		}
	}
	return known.OpenAPI(Version(), routes)
}

// Version is the app's, as far as the build knows it: the module's version, or "(devel)"
// where version control was not asked, as in tests and by relaybox assemble, whose packages
// are the same from every clone.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	return cmp.Or(info.Main.Version, "(devel)")
}
