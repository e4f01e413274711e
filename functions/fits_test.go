package functions

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFits: an app whose functions and folders do not fit together does not start, and
// says all of it at once, each with its remedy.
func TestFits(t *testing.T) {
	t.Parallel()
	served := made(http.NotFoundHandler(), nil)
	get := func(route string) Trigger {
		return Trigger{Type: "httpTrigger", Route: route, Methods: []string{"get"}}
	}
	require.NoError(t, fits(map[string]function{"A": served, "B": served, "C": served}, map[string]Trigger{
		"A": get("things/{id}"), "B": {Type: "httpTrigger", Route: "things/{id}", Methods: []string{"PUT"}}, "C": get("things/all"),
	}))
	err := fits(map[string]function{"Line": served, "Twin": served, "Other": served, "Bad": made(nil, errors.New("no kind")), "Route": served}, map[string]Trigger{
		"Folder": {Type: "timerTrigger"}, "Bad": {Type: "timerTrigger"}, "Route": get("a//b"),
		"Other": get("Things/{id}/{action:regex(^[a-z/]{{1,9}}$)?}"), "Twin": get("things/{name}"),
	})
	for _, want := range []string{
		"functions/Folder has a function.json and no line in handlers of functions/functions.go: add one",
		"handlers of functions/functions.go has a line for Line, which has no functions/Line/function.json: add the file",
		"functions/Bad: no kind",
		`functions/Route/function.json: route "a//b": empty segment`,
		"functions/Twin/function.json: GET things/{name} is answered by functions/Other already: give one of them another route",
	} {
		require.ErrorContains(t, err, want)
	}
}
