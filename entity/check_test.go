package entity_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/entity/api"
)

// withInput is a kind with an action whose body an In is to hold.
func withInput[In any]() []entity.Definition {
	do := entity.Do(func(d Door, _ In) (Door, error) { return d, nil })
	return []entity.Definition{entity.Kind[Door, Count]{Name: "d", Actions: entity.Actions[Door]{"go": do}}}
}

func withDetail(detail any) []entity.Definition {
	return []entity.Definition{entity.Kind[Door, Count]{Name: "d", Events: map[string]any{"gone": detail}}}
}

// loud and quiet write themselves, if encoding/json has their address.
type (
	loud  struct{ F func() }
	quiet struct{ F func() }
)

func (*loud) MarshalJSON() ([]byte, error)  { return []byte("1"), nil }
func (*quiet) MarshalText() ([]byte, error) { return []byte("1"), nil }

// TestDetailsThatEncodingJSONWrites may be what no entity may.
func TestDetailsThatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	type node struct {
		Next   *node
		Kept   map[int]any
		At     map[time.Time]time.Time
		N      int    `json:",string"`
		Hidden func() `json:"-"`
		hidden chan int
	}
	for _, detail := range []any{nil, loud{}, quiet{}, entity.None{}, node{hidden: nil}, &node{}, "word", 7, []node{}, map[int]string{}} {
		_, err := entity.NewKinds(withDetail(detail)...)
		require.NoError(t, err, "%T", detail)
	}
}

func TestServes(t *testing.T) {
	t.Parallel()
	busy, idle := door(), entity.Kind[Door, Count]{Name: "gate"}
	kinds, err := entity.NewKinds(busy, idle)
	require.NoError(t, err)
	deps := entity.Deps{Kinds: kinds}
	for _, c := range []struct {
		make func(entity.Deps) (http.Handler, error)
		kind string
		want []string
	}{
		{busy.Resource, "door", []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "POST"}},
		{busy.Reads, "door", []string{"GET", "HEAD"}},
		{busy.Writes, "door", []string{"PUT", "PATCH", "DELETE", "POST"}},
		{idle.Resource, "gate", []string{"GET", "HEAD", "PUT", "PATCH", "DELETE"}},
		{idle.Writes, "gate", []string{"PUT", "PATCH", "DELETE"}},
	} {
		h, err := c.make(deps)
		require.NoError(t, err)
		kind, methods := entity.Serves(h)
		require.Equal(t, c.kind, kind)
		require.Equal(t, c.want, methods)
	}
	kind, methods := entity.Serves(http.NotFoundHandler())
	require.Empty(t, kind)
	require.Empty(t, methods)
}

func TestNamesAreSorted(t *testing.T) {
	t.Parallel()
	var all []entity.Definition
	for _, name := range []string{"e", "b", "d", "a", "c", "f"} {
		all = append(all, entity.Kind[Door, Count]{Name: name})
	}
	kinds, err := entity.NewKinds(all...)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c", "d", "e", "f"}, kinds.Names())
}

// TestWhichActionsNeedABody is for programs that are made of the description.
func TestWhichActionsNeedABody(t *testing.T) {
	t.Parallel()
	kinds, err := entity.NewKinds(door())
	require.NoError(t, err)
	text, err := kinds.OpenAPI("1", []api.Route{{
		Function: "Doors", Route: "doors/{id}/{action?}", Methods: []string{"post"}, Kind: "door", Serves: []string{"POST"},
	}})
	require.NoError(t, err)
	var document struct {
		Paths map[string]struct {
			Post struct {
				RequestBody struct{ Required bool } `json:"requestBody"`
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &document))
	require.Contains(t, document.Paths, "/doors/{id}/open")
	require.False(t, document.Paths["/doors/{id}/open"].Post.RequestBody.Required)
	require.True(t, document.Paths["/doors/{id}/lock"].Post.RequestBody.Required)
}
