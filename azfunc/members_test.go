package azfunc

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzMembers holds what is found in an object against encoding/json.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{}`, ` { } `, `{"a":1}`, `{"a" : [1,{"b":"]"}] , "b":"\\\"}","c":{"d":{}},"e":-1.5e3 }`, `{"\u0061":null,"a":true}`, "{\"\xff\":\"\xff\\n\"}", `[]`, `{"a":1}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want map[string]json.RawMessage
		text = bytes.TrimSpace(text)
		if !json.Valid(text) || text[0] != '{' {
			return
		}
		require.NoError(t, json.Unmarshal(text, &want))
		got := map[string]json.RawMessage{}
		members(text, func(name, value []byte) {
			got[literal(name)] = value
			if value[0] == '"' {
				var s string
				require.NoError(t, json.Unmarshal(value, &s))
				require.Equal(t, s, literal(value))
			}
		})
		require.Equal(t, want, got)
	})
}
