package profile

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	ada := &Profile{DisplayName: "Ada", Email: "ada@example.com", Attributes: map[string]string{"a": "1"}}
	renamed := &Profile{DisplayName: "Ada L.", Email: "ada@example.com"}
	moved := &Profile{DisplayName: "Ada", Email: "ada@example.org"}
	hidden := &Profile{DisplayName: "Ada"}
	for name, c := range map[string]struct {
		old, new *Profile
		want     []string
	}{
		"nothing to nothing":  {nil, nil, nil},
		"the same":            {ada, &Profile{DisplayName: "Ada", Email: "ada@example.com", Attributes: map[string]string{"a": "1"}}, nil},
		"empty is left out":   {hidden, &Profile{DisplayName: "Ada", Attributes: map[string]string{}}, nil},
		"created":             {nil, ada, []string{Created}},
		"updated":             {ada, renamed, []string{Updated}},
		"other address":       {ada, moved, []string{Updated, EmailChanged}},
		"address removed":     {ada, hidden, []string{Updated, EmailChanged}},
		"address added":       {hidden, moved, []string{Updated, EmailChanged}},
		"deleted":             {ada, nil, []string{Deleted}},
		"one attribute value": {ada, &Profile{DisplayName: "Ada", Email: "ada@example.com", Attributes: map[string]string{"a": "2"}}, []string{Updated}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var types []string
			for _, e := range Changes("p-1", c.old, c.new) {
				types = append(types, e.Type)
			}
			require.Equal(t, c.want, types)
		})
	}
}

func TestEventsCarryTheWholeStateAndADeletionNone(t *testing.T) {
	t.Parallel()
	old := &Profile{DisplayName: "Ada", Email: "ada@example.com", Bio: "secret"}
	now := &Profile{DisplayName: "Ada", Locale: "en"}
	events := append(Changes("p-1", old, now), Changes("p-1", old, nil)...)
	var texts []string
	for _, e := range events {
		text, err := json.Marshal(e.Data)
		require.NoError(t, err)
		texts = append(texts, string(text))
	}
	require.Equal(t, []string{
		`{"id":"p-1","displayName":"Ada","locale":"en"}`,
		`{"id":"p-1","displayName":"Ada","locale":"en","oldEmail":"ada@example.com","newEmail":""}`,
		`{"id":"p-1"}`,
	}, texts)
}

// TestApplyFollowsChanges folds random histories, with every event decoded from its
// JSON as a consumer would get it, and with events missing.
func TestApplyFollowsChanges(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		var (
			cur     *Profile
			view    View
			applied int64
		)
		for range 20 {
			next := randomProfile(rng)
			for _, e := range Changes("p-1", cur, next) {
				text, err := json.Marshal(e.Data)
				require.NoError(t, err)
				got := Event{Type: e.Type}
				require.NoError(t, json.Unmarshal(text, &got.Data))
				before, err := json.Marshal(view)
				require.NoError(t, err)
				after, err := Apply(view, got)
				require.NoError(t, err)
				untouched, err := json.Marshal(view)
				require.NoError(t, err)
				require.JSONEq(t, string(before), string(untouched), "seed %d", seed)
				view, applied = after, applied+1
			}
			cur = next
			require.Equal(t, cur, view.Profile, "seed %d", seed)
		}
		var counted int64
		for _, n := range view.Applied {
			counted += n
		}
		require.Equal(t, applied, counted, "seed %d", seed)
	}
}

func TestApplyKeepsNothingOfADeletedPerson(t *testing.T) {
	t.Parallel()
	view, err := Apply(View{}, Changes("p-1", nil, &Profile{DisplayName: "Ada", Bio: "secret"})[0])
	require.NoError(t, err)
	view, err = Apply(view, Event{Deleted, Data{ID: "p-1"}})
	require.NoError(t, err)
	text, err := json.Marshal(view)
	require.NoError(t, err)
	require.NotContains(t, string(text), "secret")
	require.NotContains(t, string(text), "Ada")
	require.Equal(t, map[string]int64{Created: 1, Deleted: 1}, view.Applied)
}

func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event Event
		want  error
	}{
		"unknown type":    {Event{"relaybox.profile.renamed", Data{ID: "p-1"}}, ErrUnknownEvent},
		"no id":           {Event{Deleted, Data{}}, ErrMalformedEvent},
		"another profile": {Event{Deleted, Data{ID: "p-2"}}, ErrMalformedEvent},
		"no state":        {Event{Updated, Data{ID: "p-1"}}, ErrMalformedEvent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := View{ID: "p-1", Profile: &Profile{DisplayName: "Ada"}}
			after, err := Apply(before, c.event)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, before, after)
		})
	}
}

func TestEncodeIsCanonical(t *testing.T) {
	t.Parallel()
	a, err := Decode([]byte(`{"attributes":{"b":"2","a":"1"},"bio":"","displayName":"\u0041da"}`))
	require.NoError(t, err)
	b, err := Decode([]byte(`{ "displayName": "Ada", "attributes": {"a": "1", "b": "2"} }`))
	require.NoError(t, err)
	require.True(t, a.Equal(b))
	require.Equal(t, `{"displayName":"Ada","attributes":{"a":"1","b":"2"}}`, string(a.Encode()))
	require.Equal(t, a.Encode(), b.Encode())
}

func randomProfile(rng *rand.Rand) *Profile {
	if rng.IntN(4) == 0 {
		return nil
	}
	p := &Profile{DisplayName: strings.Repeat("ä", 1+rng.IntN(2))}
	if rng.IntN(2) == 0 {
		p.Email = []string{"ada@example.com", "ada@example.org"}[rng.IntN(2)]
	}
	if rng.IntN(2) == 0 {
		p.Attributes = map[string]string{"k": string(rune('a' + rng.IntN(3)))}
	}
	return p
}
