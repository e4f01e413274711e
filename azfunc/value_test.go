package azfunc

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlain: what is taken as it stands is what the decoder would have made of it.
func TestPlain(t *testing.T) {
	t.Parallel()
	taken := 0
	for _, raw := range []string{
		`"abc"`, `""`, `"a b~!/{}[]:,'<&"`, `"YWJj"`, // plain
		`"`, `"abc`, `abc"`, `"a"b"`, `"a\"b"`, `"\\"`, `"\u0041"`, `"é"`, "\"\xff\"", "\"\t\"", "\"\x7f\"", `1`, `null`, ``, `"a" `,
	} {
		inner, ok := plain(json.RawMessage(raw))
		if !ok {
			continue
		}
		taken++
		var want string
		require.NoError(t, json.Unmarshal([]byte(raw), &want), raw)
		require.Equal(t, want, string(inner), raw)
	}
	require.Equal(t, 4, taken)
}

// TestBodyOfAnyLength: whatever the header says of its length, the body is read to its end.
func TestBodyOfAnyLength(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 511, 512, 513, 5000, 1 << 20, 1<<20 + 1} {
		body := strings.Repeat("x", size)
		for _, says := range []int64{-1, 0, 1, int64(size), int64(size) + 1} {
			r := httptest.NewRequest(http.MethodPost, "/F", io.NopCloser(strings.NewReader(body)))
			r.ContentLength = says
			got, err := readBody(r)
			require.NoError(t, err)
			require.Equal(t, body, string(got), "%d, which says %d", size, says)
		}
	}
}
