package jetstream

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

func TestSubject(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"profile:42":        "e.profile.42",
		"profile:a.b":       "e.profile.a%2Eb",
		"profile:*":         "e.profile.%2A",
		"profile:>":         "e.profile.%3E",
		"profile:a b\r\nc":  "e.profile.a%20b%0D%0Ac",
		"profile:Ä":         "e.profile.%C3%84",
		"profile:%":         "e.profile.%25",
		"profile:":          "e.profile.%",
		"profile:a:b":       "e.profile.a%3Ab",
		"no-kind":           "e.%%.no-kind",
		":no-kind":          "e.%.no-kind",
		"gift-card:A_b-9":   "e.gift-card.A_b-9",
		"profile:$JS.API.>": "e.profile.%24JS%2EAPI%2E%3E",
	} {
		require.Equal(t, want, Subject("e", key), key)
	}
	long := strings.Repeat("Ä", 5000)
	require.NotEqual(t, Subject("e", "profile:"+long+"a"), Subject("e", "profile:"+long+"b"))
	require.Less(t, len(Subject("e", "profile:"+long)), 512)
	require.True(t, strings.HasPrefix(Subject("e", "profile:"+long), "e.profile."))
}

// FuzzSubject: whatever the keys are, a subject is legal, of three parts, and nobody else's.
func FuzzSubject(f *testing.F) {
	for _, seed := range [][2]string{
		{"profile:42", "profile:4.2"}, {"profile:", "profile"}, {":", ""}, {"a:%", "a:%25"}, {"a:\x00", "a:\xff"},
		{"a:é", "a:e\u0301"}, {"profile:*", "profile:>"}, {strings.Repeat("a", 128), strings.Repeat("a", 129)}, {"a:b c", "a:b\tc"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := Subject("events", a), Subject("events", b)
		for _, s := range []string{x, y} {
			require.True(t, server.IsValidLiteralSubject(s), "%q", s)
			require.Len(t, strings.Split(s, "."), 3, "%q", s)
			require.Less(t, len(s), 1024)
			for _, r := range s {
				require.True(t, r > ' ' && r < 0x7f, "%q", s)
			}
		}
		if len(a) <= 128 && len(b) <= 128 {
			require.Equal(t, a == b, x == y, "%q and %q: %q", a, b, x)
		}
	})
}
