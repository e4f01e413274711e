package profile

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/entity/document"
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
		"created":             {nil, ada, []string{entity.Created}},
		"updated":             {ada, renamed, []string{entity.Updated}},
		"other address":       {ada, moved, []string{entity.Updated, EmailChanged}},
		"address removed":     {ada, hidden, []string{entity.Updated, EmailChanged}},
		"address added":       {hidden, moved, []string{entity.Updated, EmailChanged}},
		"deleted":             {ada, nil, []string{entity.Deleted}},
		"one attribute value": {ada, &Profile{DisplayName: "Ada", Email: "ada@example.com", Attributes: map[string]string{"a": "2"}}, []string{entity.Updated}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var names []string
			for _, e := range changes(c.old, c.new) {
				names = append(names, e.Name)
			}
			require.Equal(t, c.want, names)
		})
	}
}

func TestApplyCountsByName(t *testing.T) {
	t.Parallel()
	var v View
	for _, name := range []string{entity.Created, entity.Updated, EmailChanged, entity.Updated, "of-tomorrow"} {
		before, err := json.Marshal(v)
		require.NoError(t, err)
		next, err := apply(v, entity.Change[Profile]{Name: name})
		require.NoError(t, err)
		untouched, err := json.Marshal(v)
		require.NoError(t, err)
		require.Equal(t, string(before), string(untouched), "the store may refuse the result")
		v = next
	}
	require.Equal(t, map[string]int64{entity.Created: 1, entity.Updated: 2, EmailChanged: 1, "of-tomorrow": 1}, v.Applied)
}

func TestEncodingIsCanonical(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, text := range []string{
		`{"attributes":{"b":"2","a":"1"},"bio":"","displayName":"\u0041da"}`,
		`{ "displayName": "Ada", "attributes": {"a": "1", "b": "2"} }`,
	} {
		p, err := Kind.Decode([]byte(text))
		require.NoError(t, err)
		encoded, err := document.Encode(p)
		require.NoError(t, err)
		texts = append(texts, string(encoded))
	}
	require.Equal(t, `{"displayName":"Ada","attributes":{"a":"1","b":"2"}}`, texts[0])
	require.Equal(t, texts[0], texts[1])
}
