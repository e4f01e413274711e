package demo

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlanIsRepeatableAndMixed(t *testing.T) {
	t.Parallel()
	one := plan(rand.New(rand.NewPCG(7, 7)), 1000, 1)
	two := plan(rand.New(rand.NewPCG(7, 7)), 1000, 1)
	require.Equal(t, one, two)
	seen := map[string]int{}
	largest := 0
	for _, w := range one {
		seen[w.want.verb.method()+w.want.action]++
		seen[w.kind.name]++
		if w.twin {
			seen["twin"]++
		}
		if w.conditional {
			seen["conditional"]++
		}
		largest = max(largest, len(w.want.body))
	}
	for _, what := range []string{"PUT", "PATCH", "DELETE", "POSTship", "POSTcancel", "twin", "conditional"} {
		require.Positive(t, seen[what], what)
	}
	require.InDelta(t, 250, seen["order"], 50)
	require.Greater(t, largest, 200_000)
	require.Less(t, largest, 240<<10, "an event must still fit on the bus")
}

func TestMergePatch(t *testing.T) {
	t.Parallel()
	cur := person{DisplayName: "Ada", Email: "a@b.c", Locale: "en", Attributes: map[string]string{"x": "1", "y": "2"}}
	next, err := merge(cur, []byte(`{"displayName":"Eve","locale":null,"attributes":{"x":null,"z":"3"}}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"displayName":"Eve","email":"a@b.c","attributes":{"y":"2","z":"3"}}`, string(next))
}
