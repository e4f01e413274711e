package entitytest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/entity/entitytest"
)

type lamp struct {
	On bool `json:"on"`
}

type seen struct {
	Switched int `json:"switched"`
}

func TestFromRequestToView(t *testing.T) {
	t.Parallel()
	app := entitytest.Run(t, entity.Kind[lamp, seen]{
		Name:    "lamp",
		Actions: entity.Actions[lamp]{"switch": entity.Do(func(l lamp, _ entity.None) (lamp, error) { return lamp{!l.On}, nil })},
		Apply: func(v seen, c entity.Change[lamp]) (seen, error) {
			v.Switched += map[string]int{entity.Updated: 1}[c.Name]
			return v, nil
		},
	})
	require.Contains(t, app.Do("PUT", "hall", `{"on":true}`, 201).Body, `"on":true`)
	app.Do("POST", "hall/switch", "", 200)
	app.Do("POST", "hall/burn", "", 404)
	app.Do("PUT", "cellar", `{"on":"yes"}`, 422)
	require.Equal(t, []string{entity.Created, entity.Updated}, app.Events("hall"))
	require.Empty(t, app.Events("cellar"))
	require.Equal(t, seen{Switched: 1}, app.View("hall"), "each event counts once")
	require.False(t, app.Changes("hall")[1].State.On)

	tag := app.Do("GET", "hall", "", 200).ETag
	app.Do("PUT", "hall", `{"on":true}`, 200, "If-Match", tag)
	app.Do("PUT", "hall", `{"on":false}`, 412, "If-Match", tag)
}

// errors keeps what a test is told, instead of failing it.
type errors struct {
	testing.TB
	said []string
}

func (e *errors) Errorf(format string, args ...any) {
	e.said = append(e.said, fmt.Sprintf(format, args...))
}

func TestAnApplyThatIsNotPureShows(t *testing.T) {
	t.Parallel()
	calls := 0
	for want, apply := range map[string]func(map[string]int) map[string]int{
		"changes the view that it is given": func(v map[string]int) map[string]int { v["n"]++; return v },
		"is not pure":                       func(map[string]int) map[string]int { calls++; return map[string]int{"n": calls} },
	} {
		heard := &errors{TB: t}
		type counts struct {
			By map[string]int `json:"by"`
		}
		app := entitytest.Run(heard, entity.Kind[lamp, counts]{
			Name: "lamp",
			Apply: func(v counts, _ entity.Change[lamp]) (counts, error) {
				if v.By == nil {
					v.By = map[string]int{}
				}
				return counts{By: apply(v.By)}, nil
			},
		})
		app.Do("PUT", "hall", `{"on":true}`, 201)
		app.Do("PUT", "hall", `{"on":false}`, 200)
		require.NotEmpty(t, heard.said)
		require.Contains(t, heard.said[0], want)
	}
}
