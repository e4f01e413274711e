package azfunc

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzQuote holds what is written against encoding/json.
func FuzzQuote(f *testing.F) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, seed := range []string{"", "Ada", string(every), "\u2028 \u2029 \u2027", "<a href=\"x\">&</a>", "\xed\xa0\x80", "é\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		require.NoError(t, e.Encode(s))
		once := appendQuoted(nil, s)
		require.Equal(t, want.String(), string(once)+"\n")
		require.Equal(t, string(appendQuoted(nil, string(once))), string(appendTwice(nil, s)))
	})
}
