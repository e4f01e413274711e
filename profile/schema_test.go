package profile_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/profile"
	"github.com/relaybox/relaybox/test/contract"
)

// described is whether a text may be a body, by Decode and by the API's description, which
// must never be the stricter one.
func described(t *testing.T, text string) (decodes, fits bool) {
	t.Helper()
	_, err := profile.Kind.Decode([]byte(text))
	misfit := contract.Body("ProfileBody", []byte(text))
	if err == nil {
		require.NoError(t, misfit, "limits in profile.go and validate disagree about %.200q", text)
		require.NoError(t, contract.Body("ProfilePatch", []byte(text)), "%.200q", text)
	}
	return err == nil, misfit == nil
}

// TestTheDescriptionHasTheLimits: both refuse what is just beyond one.
func TestTheDescriptionHasTheLimits(t *testing.T) {
	t.Parallel()
	field := func(name string, n int) string {
		return fmt.Sprintf(`{"displayName":"A",%q:%q}`, name, strings.Repeat("a", n))
	}
	attributes := func(n int) string {
		var parts []string
		for i := range n {
			parts = append(parts, fmt.Sprintf(`"k%d":""`, i))
		}
		return `{"displayName":"A","attributes":{` + strings.Join(parts, ",") + `}}`
	}
	attribute := func(key, value int) string {
		return fmt.Sprintf(`{"displayName":"A","attributes":{%q:%q}}`, strings.Repeat("k", key), strings.Repeat("v", value))
	}
	for text, ok := range map[string]bool{
		`{"displayName":"` + strings.Repeat("😀", 200) + `"}`: true, `{"displayName":"` + strings.Repeat("😀", 201) + `"}`: false,
		`{"displayName":""}`: false, `{}`: false, `{"displayName":null}`: false, `[]`: false, `{"displayName":"A","age":1}`: false,
		`{"displayName":"A","email":""}`: true, `{"displayName":"A","email":"a@b"}`: true, `{"displayName":"A","email":"ab"}`: false,
		`{"displayName":"A","email":"` + strings.Repeat("a", 253) + `@b"}`: false, `{"displayName":"A","locale":"en_US"}`: false,
		field("bio", 65_536): true, field("bio", 65_537): false, field("locale", 36): false,
		attributes(200): true, attributes(201): false, attribute(64, 4096): true, attribute(65, 0): false, attribute(0, 0): false, attribute(1, 4097): false,
	} {
		decodes, fits := described(t, text)
		require.Equal(t, ok, decodes, "%.80q", text)
		require.Equal(t, ok, fits, "%.80q", text)
	}
}

// TestWhatTheDescriptionCannotSay is refused by Decode all the same.
func TestWhatTheDescriptionCannotSay(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"bytes":               `{"displayName":"A","bio":"` + strings.Repeat("é", 32_769) + `"}`,
		"bytes of a value":    `{"displayName":"A","attributes":{"k":"` + strings.Repeat("é", 2049) + `"}}`,
		"a name twice":        `{"displayName":"A","displayName":"A"}`,
		"control characters":  `{"displayName":"a\nb"}`,
		"an address's shape":  `{"displayName":"A","email":"a@b@c"}`,
		"a language tag's":    `{"displayName":"A","locale":"en-"}`,
		"unpaired surrogates": `{"displayName":"\ud83d"}`,
	} {
		decodes, fits := described(t, text)
		require.False(t, decodes, name)
		require.True(t, fits, name)
	}
}

// TestTheDescriptionIsNeverTheStricterOne tries profiles whose values are drawn around the
// limits. A fuzz test would have the document's whole library built for fuzzing.
func TestTheDescriptionIsNeverTheStricterOne(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	pick := func(values ...any) any { return values[random.IntN(len(values))] }
	accepted := 0
	for range 2000 {
		document := map[string]any{"displayName": pick("A", "Ada 😀", strings.Repeat("é", 200), strings.Repeat("é", 201), "", "a\nb", "\u2028", nil)}
		for name, values := range map[string][]any{
			"email":  {"", "a@b", `"ada lovelace"@example.com`, `"a\"b@c"@x`, "\"a\tb\"@[::]", "!#$%&'*+/=?^_`{|}~-@x", "a", strings.Repeat("a", 252) + "@b", strings.Repeat("a", 253) + "@b"},
			"bio":    {"", "a\nb", strings.Repeat("b", 65_536), strings.Repeat("é", 32_768), strings.Repeat("é", 32_769), 1},
			"locale": {"", "en", "pt-BR", "x-whatever", "en-US-u-ca-gregory", "en_US", "日本"},
			"attributes": {map[string]any{}, map[string]any{"x.y_z-1": ""}, map[string]any{strings.Repeat("k", 64): strings.Repeat("é", 2048)},
				map[string]any{"a b": ""}, map[string]any{"k": 1}, nil},
			"other": {1},
		} {
			if random.IntN(5) < 2 && (name != "other" || random.IntN(4) == 0) {
				document[name] = pick(values...)
			}
		}
		text, err := json.Marshal(document)
		require.NoError(t, err)
		if decodes, _ := described(t, string(text)); decodes {
			accepted++
		}
	}
	require.Greater(t, accepted, 20, "seed %d", seed)
}
