package entity_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
)

// TestRequestsThatAreNotCarriedOut, each for the one thing that is wrong with it, and what is
// stored stays as it is.
func TestRequestsThatAreNotCarriedOut(t *testing.T) {
	t.Parallel()
	const front = `{"name":"Front"}`
	for name, row := range map[string]struct {
		status             int
		method, path, body string
		headers            []string
		says               string
	}{
		"id":                 {400, "PUT", "doors/a%20b", front, nil, ""},
		"condition":          {400, "PUT", "doors/d", front, []string{"If-Match", "one"}, "If-Match"},
		"key":                {400, "PUT", "doors/d", front, []string{"Idempotency-Key", strings.Repeat("k", 1000)}, "Idempotency-Key"},
		"put of text":        {415, "PUT", "doors/d", front, []string{"Content-Type", "text/plain"}, ""},
		"patch of text":      {415, "PATCH", "doors/d", front, []string{"Content-Type", "text/plain"}, ""},
		"patch that is none": {400, "PATCH", "doors/nobody", `{"name":`, nil, ""},
		"patch to nothing":   {422, "PATCH", "doors/d", `{"name":null}`, nil, "is required"},
		"a name twice":       {400, "PUT", "doors/d", `{"name":"a","name":"b"}`, nil, `"name"`},
		"no body":            {415, "POST", "doors/d/lock", "", nil, "needs a body"},
		"body of an action":  {400, "POST", "doors/nobody/lock", `{"code":`, nil, ""},
		"what it makes":      {422, "POST", "doors/d/erase", "", nil, "is required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := door()
			k.Actions["erase"] = entity.Do(func(d Door, _ entity.None) (Door, error) { return Door{}, nil })
			h := build(t, map[string]resource{"doors": k})
			h.must(201, "PUT", "doors/d", `{"name":"Back"}`)
			before := h.must(200, "GET", "doors/d", "")
			require.Contains(t, h.must(row.status, row.method, row.path, row.body, row.headers...), row.says)
			require.Equal(t, before, h.must(200, "GET", "doors/d", ""))
		})
	}
}

// TestAnActionWithoutItsBody is told which one it takes.
func TestAnActionWithoutItsBody(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	require.Equal(t, "application/json", h.do("POST", "doors/d/lock", "").Header().Get("Accept"))
}
