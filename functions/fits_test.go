package functions

import (
	"errors"
	"net/http"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/examples/mailing"
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

// TestNothingElseAnswersForHealth: a kind of that name is told to take another route.
func TestNothingElseAnswersForHealth(t *testing.T) {
	t.Parallel()
	triggers, err := Triggers()
	require.NoError(t, err)
	todo := handlers(Deps{}, entity.Deps{})
	todo["Records"], triggers["Records"] = made(http.NotFoundHandler(), nil), Trigger{Type: httpTrigger, Route: "health/{id:maxlength(9)}/{action?}", Methods: []string{"put", "get"}}
	require.ErrorContains(t, fits(todo, triggers), "functions/Records/function.json: GET health/{id:maxlength(9)}/{action?} is answered by functions/Health already: give one of them another route")
}

// TestFitsWhatNobodyWouldServe: each of these is fine with the host, and the requests would
// fail.
func TestFitsWhatNobodyWouldServe(t *testing.T) {
	t.Parallel()
	type thing struct{}
	do := entity.Do(func(e thing, _ entity.None) (thing, error) { return e, nil })
	idle := entity.Kind[thing, entity.None]{Name: "idle"}
	busy := entity.Kind[thing, entity.None]{Name: "busy", Actions: entity.Actions[thing]{"ring": do}}
	kinds, err := entity.NewKinds(idle, busy)
	require.NoError(t, err)
	deps := entity.Deps{Kinds: kinds}
	plain := made(http.NotFoundHandler(), nil)
	all := []string{"get", "head", "put", "patch", "delete"}
	on := func(route string, methods ...string) Trigger {
		return Trigger{Type: "httpTrigger", Route: route, Methods: methods}
	}
	const file = "functions/A/function.json: "
	for name, c := range map[string]struct {
		f    function
		t    Trigger
		want string // "" for none
	}{
		"no methods":      {plain, on("as"), file + "the trigger has no methods"},
		"misspelt method": {plain, on("as", "gte"), file + `methods has "gte", which is no method of HTTP: write some of get, head`},
		"no route":        {plain, on("", "get"), file + "the trigger has no route: add one"},
		"empty route":     {plain, on("/", "get"), file + "the trigger has no route: add one"},
		"type's case":     {plain, Trigger{Type: "HttpTrigger", Route: "as", Methods: all}, file + `the trigger's type is "HttpTrigger": write one of httpTrigger, timerTrigger`},
		"type unknown":    {plain, Trigger{Type: "queueTrigger"}, file + `the trigger's type is "queueTrigger": write one of`},
		"no trigger":      {plain, Trigger{Type: "http"}, file + `the trigger's type is "http"`},
		"no handler":      {function{}, Trigger{Type: "timerTrigger"}, "functions/A: its line in handlers of functions/functions.go makes no handler"},
		"kind on a timer": {made(idle.Resource(deps)), Trigger{Type: "timerTrigger"}, file + `the function serves the kind "idle", and its trigger is of type timerTrigger`},

		"no id":          {made(idle.Resource(deps)), on("as/{name}", all...), file + `the function serves the kind "idle", and route "as/{name}" has no {id}: add it`},
		"nothing more":   {made(idle.Resource(deps)), Trigger{Type: "HttpTrigger", Route: "as", Methods: all}, file + `the trigger's type is "HttpTrigger"`},
		"bad route":      {made(idle.Resource(deps)), on("as//{name}", all...), file + `route "as//{name}": empty segment`},
		"bad method":     {made(idle.Resource(deps)), on("as/{id}", "gte"), file + `methods has "gte", which is no method of HTTP`},
		"optional id":    {made(idle.Resource(deps)), on("as/{id?}", all...), "has no {id}"},
		"never answered": {made(idle.Reads(deps)), on("as/{id}", "get", "put"), file + `methods has "put", which the function would answer with 405 always: its handler serves GET, HEAD`},
		"options":        {made(idle.Resource(deps)), on("as/{id}", "options"), "405 always: its handler serves GET, HEAD, PUT"},
		"reads only":     {made(idle.Reads(deps)), on("as/{id}/{action?}", "get", "post"), "405 always: its handler serves GET, HEAD, so take the method out"},
		"no actions":     {made(idle.Resource(deps)), on("as/{id}/{action?}", "get", "post"), file + `methods has "post", which the function would answer with 405 always: the kind has no actions`},
		"no action":      {made(busy.Resource(deps)), on("as/{id}", "get", "POST"), file + `methods has "POST", which the function would answer with 405 always: it is for actions, so end the route with /{action?}`},
		"action only":    {made(busy.Resource(deps)), on("as/{id}/{action}", "get", "post"), file + `methods has "get", which the function would answer with 405 always: the route always has an action`},
		"no post":        {made(busy.Resource(deps)), on("as/{id}/{action?}", all...), file + `the kind "busy" has actions, and no function takes POST to them: add "post" to methods`},
		"neither":        {made(busy.Writes(deps)), on("as/{id}", "put"), file + `the kind "busy" has actions, and no function takes POST to them`},

		"a kind":              {made(idle.Resource(deps)), on("as/{id:maxlength(9)}", all...), ""},
		"a kind with actions": {made(busy.Resource(deps)), on("as/{id}/{action:maxlength(9)?}", append(all, "Post")...), ""},
		"reads of it":         {made(busy.Reads(deps)), on("as/{id}", "get", "head"), ""},
		"actions alone":       {made(busy.Writes(deps)), on("as/{id}/{action}", "post"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := fits(map[string]function{"A": c.f}, map[string]Trigger{"A": c.t})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n", "one fault")
		})
	}
	both := map[string]function{"A": made(busy.Writes(deps)), "B": made(busy.Writes(deps))}
	put, post := on("as/{id}", "put"), on("as/{id}/{action}", "post")
	require.NoError(t, fits(both, map[string]Trigger{"A": put, "B": post}), "another function may take the actions")
	require.NoError(t, fits(both, map[string]Trigger{"A": post, "B": put}), "the first one, too")
	err = fits(both, map[string]Trigger{"A": put, "B": on("as/{id}/{action?}", "patch")})
	require.ErrorContains(t, err, file+`the kind "busy" has actions`)
	require.NotContains(t, err.Error(), "\n", "one fault, of the first function")
}

// TestAConsumerGetsWhatItHears: from its own subscription, whose rule stands beside its trigger.
func TestAConsumerGetsWhatItHears(t *testing.T) {
	t.Parallel()
	list := mailing.List
	right := Trigger{Type: busTrigger, Subscription: "%MAILING_SUBSCRIPTION%", Rule: list.Rule()}
	other := func(change func(*Trigger)) Trigger {
		changed := right
		change(&changed)
		return changed
	}
	for want, c := range map[string]struct {
		t   Trigger
		all []entity.Consumer
	}{
		"": {right, []entity.Consumer{list}},
		`the function is the consumer "mailing-list", and its trigger is of type timerTrigger: make it a serviceBusTrigger`: {Trigger{Type: "timerTrigger"}, []entity.Consumer{list}},
		`the consumer "mailing-list" is not in consumers of functions/functions.go`:                                         {right, nil},
		`subscriptionName is "%EVENTS_SUBSCRIPTION%", and the consumer`:                                                     {other(func(t *Trigger) { t.Subscription = "%EVENTS_SUBSCRIPTION%" }), []entity.Consumer{list}},
		"does not let through what the consumer \"mailing-list\" hears: write \"sys.Label IN":                               {other(func(t *Trigger) { t.Rule = "1=1" }), []entity.Consumer{list}},
	} {
		err := fits(map[string]function{"A": made(list.Consume("message", nil, nil))}, map[string]Trigger{"A": c.t}, c.all...)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n", "one fault")
	}
	idle := map[string]function{"A": made(http.NotFoundHandler(), nil)}
	require.ErrorContains(t, fits(idle, map[string]Trigger{"A": {Type: "timerTrigger"}}, list), `the consumer "mailing-list" of functions/functions.go is called by no function`)
}

func TestTheTriggerIsTheFirstBinding(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"bindings":[{"type":"timerTrigger"},{"type":"http"}]}`:        "",
		`{"bindings":[{"type":"http"},{"type":"httpTrigger"}]}`:         `the first binding is of type "http", and the trigger httpTrigger is binding 2: move it to the first place`,
		`{"bindings":[{"type":"httpTriger"},{"type":"http"}]}`:          `none of its bindings is a trigger, they are of type "httpTriger", "http": add one of httpTrigger`,
		`{"bindings":[{"type":"httpTrigger"},{"type":"timerTrigger"}]}`: "more than one trigger, httpTrigger, timerTrigger: give each a function of its own",
		`{"bindings":[]}`: "it has no bindings: add the trigger",
		`{"bindings":[{"type":"httpTrigger","methods":"get"}]}`: "methods",
	} {
		got, err := triggersIn(fstest.MapFS{"A/function.json": {Data: []byte(text)}, "B/function.json": {Data: []byte(text)}})
		if want == "" {
			require.NoError(t, err)
			require.Equal(t, map[string]Trigger{"A": {Type: "timerTrigger"}, "B": {Type: "timerTrigger"}}, got)
			continue
		}
		require.Nil(t, got)
		for _, folder := range []string{"A", "B"} {
			require.ErrorContains(t, err, "functions/"+folder+"/function.json: ")
		}
		require.ErrorContains(t, err, want)
	}
}
