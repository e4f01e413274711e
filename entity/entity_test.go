package entity_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/entity/problem"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// Door is a kind with states, small enough to see through.
type Door struct {
	Name   string `json:"name"`
	Locked bool   `json:"locked,omitempty"`
	Frame  Frame  `json:"frame,omitzero"`
}

// Frame is an object within.
type Frame struct {
	Colour string `json:"colour,omitempty"`
}

// Key is what the action lock needs.
type Key struct {
	Code string `json:"code"`
}

// Count is the view of a door.
type Count struct {
	Seen map[string]int `json:"seen"`
}

func door() entity.Kind[Door, Count] {
	return entity.Kind[Door, Count]{
		Name: "door",
		Validate: func(d Door, faults *entity.Faults) {
			if d.Name == "" {
				faults.Add("name", "is required")
			}
		},
		Accept: func(old, next *Door) error {
			switch {
			case old != nil && old.Locked && next == nil:
				return entity.Refuse("A locked door stays.")
			case next != nil && old != nil:
				next.Locked = old.Locked
			}
			return nil
		},
		Actions: entity.Actions[Door]{
			"lock": entity.Do(func(d Door, k Key) (Door, error) {
				if k.Code == "" {
					return d, entity.Invalid("code", "is required")
				}
				if d.Locked {
					return d, entity.Refuse("The door is locked.")
				}
				d.Locked = true
				return d, nil
			}),
			"open": entity.Do(func(d Door, _ entity.None) (Door, error) {
				d.Locked = false
				return d, nil
			}),
		},
		Events: map[string]any{"locked": Key{}, "opened": nil},
		Changes: func(old, next *Door) []entity.Event {
			if old != nil && next != nil && old.Locked != next.Locked {
				if next.Locked {
					return []entity.Event{{Name: "locked", Detail: Key{Code: "secret"}}}
				}
				return []entity.Event{{Name: "opened"}}
			}
			return nil
		},
		Apply: func(v Count, c entity.Change[Door]) (Count, error) {
			next := Count{Seen: map[string]int{c.Name: 1}}
			for name, n := range v.Seen {
				next.Seen[name] += n
			}
			return next, nil
		},
	}
}

// house is an app with kinds on stores in memory.
type house struct {
	t     *testing.T
	store *outboxtest.MemStore
	views *inboxtest.MemStore
	mux   *azfunc.Mux
	kinds *entity.Kinds
	in    *inbox.Inbox
	// served are the kinds of with; before may change what a writer is shown.
	served map[string]resource
	before func(cur *outbox.Entity)
}

// shown is the store as writers see it.
type shown struct {
	outbox.Store
	before func(cur *outbox.Entity)
}

func (s shown) Load(ctx context.Context, key string) (outbox.Entity, error) {
	e, err := s.Store.Load(ctx, key)
	if err == nil && s.before != nil {
		s.before(&e)
	}
	return e, err
}

// resource is a kind that can be served.
type resource interface {
	entity.Definition
	Resource(entity.Deps) (http.Handler, error)
}

func build(t *testing.T, kinds map[string]resource) *house {
	t.Helper()
	h := &house{t: t, store: &outboxtest.MemStore{}, views: &inboxtest.MemStore{}}
	return h.with(kinds)
}

// with is another version of the app on the same stores.
func (h *house) with(kinds map[string]resource) *house {
	h.t.Helper()
	next := *h
	next.served = kinds
	var all []entity.Definition
	for _, k := range kinds {
		all = append(all, k)
	}
	var err error
	next.kinds, err = entity.NewKinds(all...)
	require.NoError(h.t, err)
	next.mux = azfunc.NewMux(azfunc.MuxOptions{})
	writer := outbox.NewWriter(shown{h.store, h.before}, outbox.WriterOptions{Source: "/test"})
	for path, k := range kinds {
		function, err := k.Resource(entity.Deps{Writer: writer, Reader: h.store, Kinds: next.kinds})
		require.NoError(h.t, err)
		next.mux.HandleRoute([]string{"get", "put", "patch", "delete", "post"}, "api/"+path+"/{id}/{action?}", function)
	}
	next.in = inbox.New(h.views, next.kinds.Apply, inbox.Options{})
	return &next
}

func (h *house) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequest(method, "/api/"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.mux.ServeHTTP(w, r)
	return w
}

func (h *house) must(status int, method, path, body string, headers ...string) string {
	h.t.Helper()
	w := h.do(method, path, body, headers...)
	require.Equal(h.t, status, w.Code, w.Body.String())
	return w.Body.String()
}

// stored is the document of an entity, types are its events' names.
func (h *house) stored(key string) string {
	h.t.Helper()
	e, err := h.store.Load(h.t.Context(), key)
	require.NoError(h.t, err)
	return string(e.Data)
}

func (h *house) types(key string) []string {
	var names []string
	for _, e := range h.store.Events(key) {
		names = append(names, e.Type)
	}
	return names
}

// consume gives the events of a key to the consumer, every one twice.
func (h *house) consume(key string) string {
	h.t.Helper()
	for _, stored := range h.store.Events(key) {
		for range 2 {
			e, err := h.kinds.Event(stored.Envelope, outbox.Session(key))
			require.NoError(h.t, err)
			_, err = h.in.Once(h.t.Context(), e)
			require.NoError(h.t, err)
		}
	}
	m, err := h.views.Load(h.t.Context(), key)
	require.NoError(h.t, err)
	return string(m.Data)
}

func TestALifeWithStates(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	h.must(404, "POST", "doors/d/lock", `{"code":"1"}`)
	h.must(201, "PUT", "doors/d", `{"name":"Front"}`)
	h.must(200, "POST", "doors/d/lock", `{"code":"1"}`)
	require.Contains(t, h.must(409, "POST", "doors/d/lock", `{"code":"1"}`), "urn:relaybox:problem:wrong-state")
	h.must(422, "POST", "doors/d/lock", `{"code":""}`)
	h.must(422, "POST", "doors/d/lock", `{"code":7}`)
	h.must(400, "POST", "doors/d/lock", `{"kode":"1"}`)
	h.must(409, "DELETE", "doors/d", "")
	h.must(200, "PATCH", "doors/d", `{"name":"Back"}`)
	h.must(200, "POST", "doors/d/open", "")
	h.must(200, "POST", "doors/d/open", "{}") // open already: nothing changes
	h.must(400, "POST", "doors/d/open", `{"why":1}`)
	h.must(204, "DELETE", "doors/d", "")
	require.Equal(t, []string{
		"relaybox.door.created", "relaybox.door.locked", "relaybox.door.updated", "relaybox.door.opened", "relaybox.door.deleted",
	}, h.types("door:d"))
	require.JSONEq(t, `{"id":"d","state":null,"view":{"seen":{"created":1,"locked":1,"updated":1,"opened":1,"deleted":1}}}`, h.consume("door:d"))
}

func TestAnActionHasConditionsAndKeys(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	first := h.do("PUT", "doors/d", `{"name":"Front"}`).Header().Get("ETag")
	h.must(412, "POST", "doors/d/lock", `{"code":"1"}`, "If-Match", `"7-x"`)
	once := h.do("POST", "doors/d/lock", `{"code":"1"}`, "If-Match", first, "Idempotency-Key", "k")
	require.Equal(t, 200, once.Code)
	again := h.do("POST", "doors/d/lock", `{"code":"1"}`, "If-Match", first, "Idempotency-Key", "k")
	require.Equal(t, once.Body.String(), again.Body.String())
	require.Equal(t, once.Header(), again.Header())
	h.must(422, "POST", "doors/d/open", ``, "Idempotency-Key", "k") // another request
	require.Len(t, h.types("door:d"), 2)
}

// TestABodilessActionThatTheHostDeliversAgain: the host repeats requests without a body
// under one invocation id, and another write may have come between.
func TestABodilessActionThatTheHostDeliversAgain(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	h.must(201, "PUT", "doors/d", `{"name":"Front"}`)
	h.must(200, "POST", "doors/d/lock", `{"code":"1"}`)
	first := h.must(200, "POST", "doors/d/open", "", "X-Azure-Functions-InvocationId", "i-1")
	h.must(200, "POST", "doors/d/lock", `{"code":"1"}`)
	require.Equal(t, first, h.must(200, "POST", "doors/d/open", "", "X-Azure-Functions-InvocationId", "i-1"))
	require.Contains(t, h.stored("door:d"), `"locked":true`)
}

// TestWhatTheHostsInvocationIsNot: neither a client's own key nor, where there is a body, one
// at all.
func TestWhatTheHostsInvocationIsNot(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	h.must(201, "PUT", "doors/d", `{"name":"Front"}`, "X-Azure-Functions-InvocationId", "i-1")
	require.Zero(t, h.store.Receipts("door:d"), "who wants its answer kept sends a key")
	first := h.must(200, "POST", "doors/d/open", "", "X-Azure-Functions-InvocationId", "i-2", "Idempotency-Key", "k")
	h.must(200, "POST", "doors/d/lock", `{"code":"1"}`)
	require.Equal(t, first, h.must(200, "POST", "doors/d/open", "", "X-Azure-Functions-InvocationId", "i-3", "Idempotency-Key", "k"))
	require.Contains(t, h.stored("door:d"), `"locked":true`)
}

func TestMethodsOfAResource(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	for path, allow := range map[string]string{"doors/d": "GET, HEAD, PUT, PATCH, DELETE", "doors/d/lock": "POST"} {
		method := "POST"
		if allow == "POST" {
			method = "GET"
		}
		w := h.do(method, path, "")
		require.Equal(t, 405, w.Code)
		require.Equal(t, allow, w.Header().Get("Allow"))
	}
	require.Contains(t, h.must(404, "POST", "doors/d/paint", ""), "lock, open")
}

func TestTwoKindsNeverMeet(t *testing.T) {
	t.Parallel()
	type Cat struct {
		Name string `json:"name"`
	}
	h := build(t, map[string]resource{"doors": door(), "cats": entity.Kind[Cat, entity.None]{Name: "cat"}})
	h.must(201, "PUT", "doors/same", `{"name":"Front"}`)
	h.must(201, "PUT", "cats/same", `{"name":"Tom"}`)
	h.must(200, "PUT", "cats/same", `{"name":"Felix"}`)
	h.must(204, "DELETE", "doors/same", "")
	require.Contains(t, h.must(200, "GET", "cats/same", ""), "Felix")
	require.Equal(t, []string{"relaybox.cat.created", "relaybox.cat.updated"}, h.types("cat:same"))
	require.JSONEq(t, `{"id":"same","state":{"name":"Felix"}}`, h.consume("cat:same"))
	require.JSONEq(t, `{"id":"same","state":null,"view":{"seen":{"created":1,"deleted":1}}}`, h.consume("door:same"))
}

// Door2 is the door of the next version of the app.
type Door2 struct {
	Door
	Height int    `json:"height,omitempty"`
	Frame  Frame2 `json:"frame,omitzero"`
}

// Frame2 knows more, too.
type Frame2 struct {
	Colour string `json:"colour,omitempty"`
	Wood   string `json:"wood,omitempty"`
}

// Count2 is its view.
type Count2 struct {
	Count
	Tallest int `json:"tallest"`
}

func door2() entity.Kind[Door2, Count2] {
	old := door()
	return entity.Kind[Door2, Count2]{
		Name:   "door",
		Events: map[string]any{"locked": nil, "opened": nil, "painted": nil},
		Changes: func(before, next *Door2) []entity.Event {
			if before != nil && next != nil && before.Frame.Colour != next.Frame.Colour {
				return []entity.Event{{Name: "painted"}}
			}
			return nil
		},
		Apply: func(v Count2, c entity.Change[Door2]) (Count2, error) {
			count, err := old.Apply(v.Count, entity.Change[Door]{Name: c.Name})
			v.Count = count
			if c.State != nil {
				v.Tallest = max(v.Tallest, c.State.Height)
			}
			return v, err
		},
	}
}

// TestVersionsSideBySide: an instance of the old version writes what one of the new has
// written, and consumes what it sends.
func TestVersionsSideBySide(t *testing.T) {
	t.Parallel()
	old := build(t, map[string]resource{"doors": door()})
	now := old.with(map[string]resource{"doors": door2()})

	now.must(201, "PUT", "doors/d", `{"name":"Front","height":210,"frame":{"colour":"red","wood":"oak"}}`)
	for _, write := range [][3]string{
		{"PATCH", "doors/d", `{"name":"Back"}`},
		{"PATCH", "doors/d", `{"frame":{"colour":"blue"}}`},
		{"PUT", "doors/d", `{"name":"Side","frame":{"colour":"blue"}}`},
		{"POST", "doors/d/lock", `{"code":"1"}`},
	} {
		got := old.must(200, write[0], write[1], write[2])
		require.Contains(t, got, `"height":210`, write)
		require.Contains(t, got, `"wood":"oak"`, write)
	}
	require.JSONEq(t, `{"name":"Side","locked":true,"height":210,"frame":{"colour":"blue","wood":"oak"}}`, old.stored("door:d"))
	for _, e := range old.store.Events("door:d") {
		require.Contains(t, string(e.Envelope), `"height":210`, "what is told is the whole state")
	}
	old.must(400, "PATCH", "doors/d", `{"height":1}`)
	require.Contains(t, old.must(200, "GET", "doors/d", ""), `"height":210`)

	now.must(200, "PATCH", "doors/d", `{"frame":{"colour":"green"}}`) // an event that the old version does not know
	require.Equal(t, "relaybox.door.painted", old.types("door:d")[5])

	require.JSONEq(t, `{"id":"d","state":{"name":"Side","locked":true,"height":210,"frame":{"colour":"green","wood":"oak"}},
		"view":{"seen":{"created":1,"updated":3,"locked":1,"painted":1}}}`, old.consume("door:d"))
}

// TestAViewKeepsWhatANewerVersionWroteIntoIt: members of V that this version lacks.
func TestAViewKeepsWhatANewerVersionWroteIntoIt(t *testing.T) {
	t.Parallel()
	old := build(t, map[string]resource{"doors": door()})
	now := old.with(map[string]resource{"doors": door2()})
	now.must(201, "PUT", "doors/d", `{"name":"Front","height":210}`)
	now.consume("door:d")
	old.must(200, "PATCH", "doors/d", `{"name":"Back"}`)
	require.JSONEq(t, `{"id":"d","state":{"name":"Back","height":210},"view":{"seen":{"created":1,"updated":1},"tallest":210}}`, old.consume("door:d"))
}

func TestPutReplacesWhenTheKindSaysSo(t *testing.T) {
	t.Parallel()
	old := door()
	old.PutReplaces = true
	h := build(t, map[string]resource{"doors": old})
	now := h.with(map[string]resource{"doors": door2()})
	now.must(201, "PUT", "doors/d", `{"name":"Front","height":210}`)
	h.must(200, "PATCH", "doors/d", `{"name":"Back"}`)
	require.Contains(t, h.stored("door:d"), "210")
	h.must(200, "PUT", "doors/d", `{"name":"Back"}`)
	require.JSONEq(t, `{"name":"Back"}`, h.stored("door:d"))
	require.Equal(t, "relaybox.door.updated", h.types("door:d")[2], "dropping a member is a change")
	h.must(200, "PUT", "doors/d", `{"name":"Back"}`)
	require.Len(t, h.types("door:d"), 3)
}

func TestKindsThatCannotBe(t *testing.T) {
	t.Parallel()
	type reserved struct {
		Version int `json:"version"`
	}
	type inner struct{ F func() } // encoding/json writes what is exported of it
	for name, c := range map[string]struct {
		kinds []entity.Definition
		want  []string
	}{
		"no name":       {[]entity.Definition{entity.Kind[Door, Count]{}}, []string{`kind ""`, `and begins with a letter, like "`}},
		"capitals":      {[]entity.Definition{entity.Kind[Door, Count]{Name: "Door"}}, []string{`kind "Door"`, "lower-case"}},
		"a colon":       {[]entity.Definition{entity.Kind[Door, Count]{Name: "do:or"}}, []string{"lower-case"}},
		"a long name":   {[]entity.Definition{entity.Kind[Door, Count]{Name: strings.Repeat("d", 33)}}, []string{"1 to 32"}},
		"taken":         {[]entity.Definition{door(), door2()}, []string{`"door" is there twice`, "another Name"}},
		"reserved":      {[]entity.Definition{entity.Kind[reserved, Count]{Name: "r"}}, []string{`member "version"`, "another name"}},
		"untagged":      {[]entity.Definition{entity.Kind[struct{ ID int }, Count]{Name: "u"}}, []string{`member "ID"`, "another name"}},
		"not a struct":  {[]entity.Definition{entity.Kind[string, Count]{Name: "s"}}, []string{"the entity", "not a struct"}},
		"no such view":  {[]entity.Definition{entity.Kind[Door, chan int]{Name: "s"}}, []string{"the view", "JSON"}},
		"empty action":  {[]entity.Definition{entity.Kind[Door, Count]{Name: "d", Actions: entity.Actions[Door]{"go": {}}}}, []string{`action "go"`, "entity.Do"}},
		"action's name": {[]entity.Definition{entity.Kind[Door, Count]{Name: "d", Actions: entity.Actions[Door]{"Go": {}}}}, []string{`action "Go"`, "lower-case"}},
		"no action":     {[]entity.Definition{entity.Kind[Door, Count]{Name: "d", Actions: entity.Actions[Door]{"go": entity.Do[Door, entity.None](nil)}}}, []string{`action "go"`, "a function"}},
		"input's keys":  {withInput[map[int]string](), []string{`kind "d": action "go": the input: `, "keys are no strings"}},
		"input's form":  {withInput[[]string](), []string{`kind "d": action "go": the input: `, "not a struct"}},
		"input's func":  {withInput[struct{ F func() }](), []string{`kind "d": action "go": the input: `, ".F is a func()"}},
		"input's tag": {withInput[struct {
			N int `json:"n,string"`
		}](), []string{`kind "d": action "go": the input: `, "option string"}},
		"event's name":  {[]entity.Definition{entity.Kind[Door, Count]{Name: "d", Events: map[string]any{"Gone!": nil}}}, []string{`event "Gone!"`, "lower-case"}},
		"detail's chan": {withDetail(make(chan int)), []string{`kind "d": event "gone": the detail: `, "is a chan int"}},
		"detail's func": {withDetail(map[string][]struct{ F func() }{}), []string{`kind "d": event "gone": the detail: `, ".F is a func()", `json:"-"`}},
		"detail's own":  {withDetail(&struct{ F func() }{}), []string{`event "gone": the detail: `, ".F is a func()"}},
		"detail's part": {withDetail(struct {
			N int
			inner
		}{}), []string{`event "gone": the detail: `, ".F is a func()"}},
		"detail's keys": {withDetail(map[[2]int]string{}), []string{`kind "d": event "gone": the detail: `, "keys"}},
		"nil":           {[]entity.Definition{door(), nil}, []string{"kind 2 of 2 is nil"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := entity.NewKinds(c.kinds...)
			require.Error(t, err)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestAKindThatNobodyRegistered(t *testing.T) {
	t.Parallel()
	kinds, err := entity.NewKinds(door())
	require.NoError(t, err)
	_, err = entity.Kind[Door, Count]{Name: "gate"}.Resource(entity.Deps{Kinds: kinds})
	require.ErrorContains(t, err, `kind "gate" has HTTP functions and is not registered`)
	require.ErrorContains(t, err, "functions/functions.go")
	_, err = door2().Writes(entity.Deps{Kinds: kinds})
	require.ErrorContains(t, err, "registered with other types")
	_, err = door().Reads(entity.Deps{})
	require.ErrorContains(t, err, "not registered")
}

func TestAnEventThatIsNotDeclaredStoresNothing(t *testing.T) {
	t.Parallel()
	k := door()
	k.Changes = func(_, _ *Door) []entity.Event { return []entity.Event{{Name: "slammed"}} }
	h := build(t, map[string]resource{"doors": k})
	h.must(500, "PUT", "doors/d", `{"name":"Front"}`)
	require.Empty(t, h.store.Keys())
}

func TestADetailOfAnotherTypeStoresNothing(t *testing.T) {
	t.Parallel()
	for name, declared := range map[string]any{"another": Frame{}, "none": nil} {
		k := door()
		k.Events = map[string]any{"locked": declared, "opened": nil}
		h := build(t, map[string]resource{"doors": k})
		h.must(201, "PUT", "doors/d", `{"name":"Front"}`)
		h.must(500, "POST", "doors/d/lock", `{"code":"1"}`)
		require.Len(t, h.types("door:d"), 1, name)
	}
	k := door()
	k.Events["locked"] = &Key{} // a pointer is as good
	h := build(t, map[string]resource{"doors": k})
	h.must(201, "PUT", "doors/d", `{"name":"Front"}`)
	h.must(200, "POST", "doors/d/lock", `{"code":"1"}`)
}

// Code is an input that checks itself.
type Code struct {
	A string `json:"a"`
	B string `json:"b"`
}

// Validate notes what is missing.
func (c Code) Validate(faults *entity.Faults) {
	for name, value := range map[string]string{"a": c.A, "b": c.B} {
		if value == "" {
			faults.Add(name, "is required")
		}
	}
}

func TestAnInputThatChecksItself(t *testing.T) {
	t.Parallel()
	k := door()
	k.Actions["dial"] = entity.Do(func(d Door, _ Code) (Door, error) { return d, entity.Refuse("never") })
	h := build(t, map[string]resource{"doors": k})
	body := h.must(422, "POST", "doors/d/dial", `{}`)
	require.Contains(t, body, `{"field":"a","detail":"is required"}`)
	require.Contains(t, body, `{"field":"b","detail":"is required"}`)
	require.NotContains(t, h.must(422, "POST", "doors/d/dial", `[]`), "is required", "what is no object has no members")
}

func TestBodiesOfActions(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door(), "gates": entity.Kind[Door, Count]{Name: "gate"}})
	h.must(201, "PUT", "doors/d", `{"name":"Front"}`)
	for _, c := range []struct {
		status       int
		action, body string
		headers      []string
	}{
		{415, "lock", ``, nil},
		{400, "lock", ``, []string{"Content-Type", "application/json", "Content-Length", "0"}},
		{415, "lock", `{"code":"1"}`, []string{"Content-Type", ""}},
		// What none is needed for is read all the same, if there is one.
		{415, "open", `{"why":1}`, []string{"Content-Type", ""}},
		{411, "open", ``, []string{"Content-Type", "application/json"}},
		{400, "open", ` `, nil},
		{200, "open", ``, nil},
	} {
		h.must(c.status, "POST", "doors/d/"+c.action, c.body, c.headers...)
	}
	require.Equal(t, []string{"relaybox.door.created"}, h.types("door:d"))
	require.Contains(t, h.must(404, "POST", "gates/g/open", ""), "There is no action \\\"open\\\" of gate; there are none.")
}

func TestHeadersThatSayNothingAreNotSent(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	for _, c := range []struct {
		method, body string
		headers      []string
	}{
		{"PUT", `{"name":"Front"}`, []string{"Cache-Control", "Content-Length", "Content-Type", "Etag", "Location"}},
		{"GET", ``, []string{"Cache-Control", "Content-Length", "Content-Type", "Etag"}},
		{"DELETE", ``, []string{"Cache-Control"}},
	} {
		require.ElementsMatch(t, c.headers, slices.Collect(maps.Keys(h.do(c.method, "doors/d", c.body).Header())), c.method)
	}
}

func TestAnswersThatHelp(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	created := h.must(201, "PUT", "doors/d", `{"name":"Front"}`)
	require.Contains(t, h.must(400, "PUT", "doors/d", created), "every answer has it")
	require.Contains(t, h.must(415, "POST", "doors/d/lock", ""), "The action lock needs a body")
	require.Contains(t, h.must(404, "POST", "doors/d/fly", ""), `There is no action \"fly\" of door; there are: lock, open.`)
	require.Contains(t, h.must(400, "PUT", "doors/d", `{"name":"x","frame":{"color":"red"}}`), `"field":"frame.color"`)
}

// event is an envelope of a door with changes; nil takes a member away.
func event(t *testing.T, changes map[string]any) []byte {
	t.Helper()
	members := map[string]any{
		"specversion": "1.0", "id": "e-1", "source": "/test/door", "type": "relaybox.door.created", "subject": "d",
		"time": "2026-08-07T10:00:00Z", "datacontenttype": "application/json", "sequence": "00000000000000000001", "partitionkey": "door:d",
		"incarnation": "0123456789abcdef", "incarnationfirst": "00000000000000000001", "incarnationsince": "2026-01-01T00:00:00Z", "incarnationdrawn": "2026-01-01T00:00:00Z",
		"data": map[string]any{"id": "d", "state": map[string]any{"name": "Front"}},
	}
	for name, value := range changes {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return text
}

// TestEventsThatAreRefused: each has a reason, and none comes near a view.
func TestEventsThatAreRefused(t *testing.T) {
	t.Parallel()
	data := func(members map[string]any) map[string]any { return map[string]any{"data": members} }
	front := map[string]any{"name": "Front"}
	for name, c := range map[string]struct {
		changes map[string]any
		session string
		want    inbox.Reason
	}{
		"good":                      {nil, "door:d", ""},
		"no session":                {nil, "", ""},
		"new, with a state":         {map[string]any{"type": "relaybox.door.painted"}, "", ""},
		"deleted":                   {map[string]any{"type": "relaybox.door.deleted", "data": map[string]any{"id": "d", "state": nil}}, "", ""},
		"gone by another name":      {map[string]any{"type": "relaybox.door.opened", "data": map[string]any{"id": "d", "state": nil}}, "", ""},
		"gone by a new name":        {map[string]any{"type": "relaybox.door.burnt", "data": map[string]any{"id": "d", "state": nil}}, "", ""},
		"deleted, says nothing":     {map[string]any{"type": "relaybox.door.deleted", "data": map[string]any{"id": "d"}}, "", entity.BadData},
		"unknown kind":              {map[string]any{"type": "relaybox.cat.created", "source": "/test/cat", "partitionkey": "cat:d"}, "", entity.UnknownKind},
		"new, without a state":      {map[string]any{"type": "relaybox.door.painted", "data": map[string]any{"id": "d"}}, "", entity.UnknownEvent},
		"created without a state":   {data(map[string]any{"id": "d"}), "", entity.BadData},
		"a state that is null":      {data(map[string]any{"id": "d", "state": nil}), "", entity.BadData},
		"deleted with a state":      {map[string]any{"type": "relaybox.door.deleted"}, "", entity.BadData},
		"data is text":              {map[string]any{"data": "text"}, "", entity.BadData},
		"no data":                   {map[string]any{"data": nil}, "", entity.BadData},
		"state of another type":     {data(map[string]any{"id": "d", "state": map[string]any{"name": 7}}), "", entity.BadData},
		"state is a list":           {data(map[string]any{"id": "d", "state": []any{}}), "", entity.BadData},
		"data of another":           {data(map[string]any{"id": "e", "state": front}), "", entity.Disagreement},
		"data of nobody":            {data(map[string]any{"state": front}), "", entity.Disagreement},
		"another subject":           {map[string]any{"subject": "e"}, "", entity.Disagreement},
		"another one, throughout":   {map[string]any{"subject": "e", "data": map[string]any{"id": "e", "state": front}}, "", entity.Disagreement},
		"updated to nothing":        {map[string]any{"type": "relaybox.door.updated", "data": map[string]any{"id": "d", "state": nil}}, "", entity.BadData},
		"a snapshot":                {map[string]any{"type": "relaybox.door.snapshot", "replayfor": "late"}, "", ""},
		"a snapshot of who is gone": {map[string]any{"type": "relaybox.door.snapshot", "data": map[string]any{"id": "d", "state": nil}}, "", ""},
		"a snapshot without state":  {map[string]any{"type": "relaybox.door.snapshot", "data": map[string]any{"id": "d"}}, "", entity.BadData},
		"type of another kind":      {map[string]any{"type": "relaybox.cat.created"}, "", entity.Disagreement},
		"type of nobody":            {map[string]any{"type": "door.created"}, "", entity.Disagreement},
		"source of another kind":    {map[string]any{"source": "/test/cat"}, "", entity.Disagreement},
		"an event's name":           {map[string]any{"type": "relaybox.door.created.twice"}, "", entity.Disagreement},
		"no event's name":           {map[string]any{"type": "relaybox.door."}, "", entity.Disagreement},
		"key of another kind":       {map[string]any{"partitionkey": "cat:d"}, "", entity.Disagreement},
		"key without a kind":        {map[string]any{"partitionkey": "d"}, "", entity.Disagreement},
		"another session":           {nil, "door:e", entity.Disagreement},
		"an id that is none":        {map[string]any{"subject": "a b", "partitionkey": "door:a b", "data": map[string]any{"id": "a b", "state": front}}, "", inbox.BadKey},
		"no incarnation":            {map[string]any{"incarnation": nil, "incarnationfirst": nil, "incarnationsince": nil, "incarnationdrawn": nil}, "", inbox.BadIncarnation},
		"a sequence that cannot be": {map[string]any{"sequence": "9223372036854775807"}, "", inbox.BadSequence},
		"before its incarnation":    {map[string]any{"incarnationfirst": "00000000000000000002"}, "", inbox.BadSequence},
		"another version":           {map[string]any{"specversion": "0.3"}, "", inbox.BadVersion},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := build(t, map[string]resource{"doors": door()})
			_, err := h.kinds.Event(event(t, c.changes), c.session)
			require.Equal(t, c.want, inbox.ReasonOf(err), "%v", err)
			require.Equal(t, c.want == "", err == nil)
		})
	}
}

func TestAnActionsErrorOfItsOwnIsInternal(t *testing.T) {
	t.Parallel()
	k := door()
	k.Actions["break"] = entity.Do(func(d Door, _ entity.None) (Door, error) { return d, errors.New("secret") })
	h := build(t, map[string]resource{"doors": k})
	h.must(201, "PUT", "doors/d", `{"name":"Front"}`)
	require.NotContains(t, h.must(500, "POST", "doors/d/break", ""), "secret")
}

// TestWhatIsNotKept: who mends the request may repeat its key, and so may who met a fault of
// ours.
func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	k := door()
	k.Actions["fail"] = entity.Do(func(d Door, _ entity.None) (Door, error) { return d, problem.New(problem.Internal, "a bug") })
	h := build(t, map[string]resource{"doors": k})
	h.must(201, "PUT", "doors/d", `{"name":"Front"}`)
	h.must(500, "POST", "doors/d/fail", "", "Idempotency-Key", "a")
	h.must(422, "POST", "doors/d/lock", `{"code":""}`, "Idempotency-Key", "b")
	require.Zero(t, h.store.Receipts("door:d"))
	h.must(200, "POST", "doors/d/lock", `{"code":"1"}`, "Idempotency-Key", "b")
	require.NotZero(t, h.store.Receipts("door:d"))
}
