package request

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity/problem"
)

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("k", maxKey)
	for name, c := range map[string]struct {
		lines []string
		want  string // empty: a problem
	}{
		"bare":                      {[]string{"k-1"}, "k-1"},
		"bare, in spaces":           {[]string{" \tk-1 "}, "k-1"},
		"quoted":                    {[]string{`"k-1"`}, "k-1"},
		"a quote in quotes":         {[]string{`"k\"1"`}, `k"1`},
		"a backslash in quotes":     {[]string{`"k\\1"`}, `k\1`},
		"the first visible":         {[]string{"!"}, "!"},
		"the last visible":          {[]string{"~"}, "~"},
		"the longest":               {[]string{longest}, longest},
		"the longest, quoted":       {[]string{`"` + longest + `"`}, longest},
		"too long":                  {[]string{longest + "k"}, ""},
		"empty":                     {[]string{""}, ""},
		"empty quotes":              {[]string{`""`}, ""},
		"two lines":                 {[]string{"k-1", "k-1"}, ""},
		"two lines, quoted":         {[]string{`"k-1"`, `"k-1"`}, ""},
		"not closed":                {[]string{`"k-1`}, ""},
		"more behind":               {[]string{`"k-1";a`}, ""},
		"escapes nothing special":   {[]string{`"k\1"`}, ""},
		"ends in an escape":         {[]string{`"k\`}, ""},
		"ends in an escaped quote":  {[]string{`"k\"`}, ""},
		"a space inside":            {[]string{"k 1"}, ""},
		"a space inside the quotes": {[]string{`"k 1"`}, ""},
		"DEL":                       {[]string{"k\x7f"}, ""},
		"not ASCII":                 {[]string{"ä"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := IdempotencyKey(http.Header{"Idempotency-Key": c.lines})
			require.Equal(t, c.want, key)
			if c.want != "" {
				require.NoError(t, err)
				return
			}
			p := problem.From(t.Context(), err)
			require.Equal(t, problem.BadHeader, p.Kind)
			require.Equal(t, "Idempotency-Key", p.Header)
		})
	}
	key, err := IdempotencyKey(http.Header{})
	require.NoError(t, err)
	require.Empty(t, key)
}
