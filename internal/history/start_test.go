package history_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/internal/history"
)

func inLife(l string) func(*history.Call) {
	return func(c *history.Call) {
		version, _ := history.Version(c.Answer.ETag)
		c.Answer.ETag = `"` + string(rune('0'+version)) + "-" + l + `"`
	}
}

func keeps(names ...string) func(*history.Call) {
	return func(c *history.Call) { c.Keeps = names }
}

// TestARestoredEntity: a history that begins in the middle, and goes on in another life.
func TestARestoredEntity(t *testing.T) {
	t.Parallel()
	remembered := put(0, 1, "Ann", key("k"), says(201, 1, "Ann"))
	from := history.Start{Exists: true, Version: 2, Life: life, Body: `{"displayName":"Bob"}`, Receipts: []history.Call{remembered}, Moves: true}
	for name, c := range map[string]struct {
		want  history.Judgement
		calls []history.Call
	}{
		"nothing":                         {history.Fine, nil},
		"what was restored":               {history.Fine, []history.Call{get(2, 3, says(200, 2, "Bob"))}},
		"another life":                    {history.Fine, []history.Call{put(2, 3, "Eve", says(200, 3, "Eve"), inLife("b2")), get(4, 5, says(200, 3, "Eve"), inLife("b2"))}},
		"the same life":                   {history.Fine, []history.Call{put(2, 3, "Eve", says(200, 3, "Eve"))}},
		"the receipt":                     {history.Fine, []history.Call{put(2, 3, "Eve", says(200, 3, "Eve"), inLife("b2")), put(4, 5, "Ann", key("k"), says(201, 1, "Ann"))}},
		"another life without a change":   {history.Broken, []history.Call{get(2, 3, says(200, 2, "Bob"), inLife("b2"))}},
		"two lives of one version":        {history.Broken, []history.Call{put(2, 3, "Eve", says(200, 3, "Eve"), inLife("b2")), get(4, 5, says(200, 3, "Eve"), inLife("c3"))}},
		"what the restore has taken away": {history.Broken, []history.Call{put(0, 1, "Eve", open, effect(history.NoEffect)), get(2, 3, says(200, 3, "Eve"))}},
		"numbers that begin anew":         {history.Broken, []history.Call{put(2, 3, "Eve", says(201, 1, "Eve"), inLife("b2"))}},
		"a receipt that is forgotten":     {history.Broken, []history.Call{put(2, 3, "Ann", key("k"), says(200, 3, "Ann"), inLife("b2"))}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := c.calls
			if c.want == history.Fine || len(calls) > 0 && calls[0].Method == http.MethodGet {
				calls = append(calls, put(-1, 0, "Bob", open, effect(history.NoEffect)), put(-1, 0, "Ann", open, effect(history.NoEffect))) // of the earlier life: it wrote what is shown
			}
			v := from.Check(calls, limit)
			require.Equal(t, c.want, v.Judgement, v.Reason)
		})
	}
}

// TestAnOlderVersion: its PUT leaves what it does not know, and only that.
func TestAnOlderVersion(t *testing.T) {
	t.Parallel()
	rich := func(status, version int, name, nick string) func(*history.Call) {
		return func(c *history.Call) {
			says(status, version, name)(c)
			c.Answer.Body = `{"displayName":"` + name + `","nickname":"` + nick + `"}`
		}
	}
	first := put(0, 1, "Ann", rich(201, 1, "Ann", "A"))
	first.Body = `{"displayName":"Ann","nickname":"A"}`
	for name, c := range map[string]struct {
		want history.Judgement
		then history.Call
	}{
		"kept":               {history.Fine, put(2, 3, "Bob", keeps("nickname"), rich(200, 2, "Bob", "A"))},
		"kept, no change":    {history.Fine, put(2, 3, "Ann", keeps("nickname"), rich(200, 1, "Ann", "A"))},
		"lost":               {history.Broken, put(2, 3, "Bob", keeps("nickname"), says(200, 2, "Bob"))},
		"the newer clears":   {history.Fine, put(2, 3, "Bob", says(200, 2, "Bob"))},
		"the newer keeps it": {history.Broken, put(2, 3, "Bob", rich(200, 2, "Bob", "A"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := history.Check([]history.Call{first, c.then}, limit)
			require.Equal(t, c.want, v.Judgement, v.Reason)
		})
	}
}
