package entitytest_test

import (
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
	require.Contains(t, app.Do("PUT", "hall", `{"on":true}`, 201), `"on":true`)
	app.Do("POST", "hall/switch", "", 200)
	app.Do("POST", "hall/burn", "", 404)
	app.Do("PUT", "cellar", `{"on":"yes"}`, 422)
	require.Equal(t, []string{entity.Created, entity.Updated}, app.Events("hall"))
	require.Empty(t, app.Events("cellar"))
	var v seen
	app.View("hall", &v)
	require.Equal(t, seen{Switched: 1}, v, "each event counts once")
}
