package request

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http/httptest"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity/problem"
)

// TestBodiesOfAnotherFormatAreNamed: the host hides that a body is compressed, and "invalid UTF-8" helps nobody.
func TestBodiesOfAnotherFormatAreNamed(t *testing.T) {
	t.Parallel()
	const text = `{"watts":40}`
	compressed := func(with func(io.Writer) io.WriteCloser) []byte {
		var out bytes.Buffer
		w := with(&out)
		_, err := io.WriteString(w, text)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return out.Bytes()
	}
	wide := func(high, low int) (out []byte) {
		for _, c := range utf16.Encode([]rune(text)) {
			pair := [2]byte{}
			pair[high], pair[low] = byte(c>>8), byte(c)
			out = append(out, pair[:]...)
		}
		return out
	}
	for name, c := range map[string]struct {
		body []byte
		says string
	}{
		"gzip":                   {compressed(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }), "compressed (gzip): send the JSON text as it is"},
		"deflate":                {compressed(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }), "compressed (deflate)"},
		"zstd":                   {[]byte("\x28\xb5\x2f\xfd\x04\x00"), "compressed (zstd)"},
		"zip":                    {[]byte("PK\x03\x04\x14\x00"), "a zip archive"},
		"UTF-16, little":         {wide(1, 0), "UTF-16: JSON is UTF-8"},
		"UTF-16, big":            {wide(0, 1), "UTF-16"},
		"UTF-16, little, marked": {append([]byte("\xff\xfe"), wide(1, 0)...), "UTF-16"},
		"UTF-16, big, marked":    {append([]byte("\xfe\xff"), wide(0, 1)...), "UTF-16"},
		"UTF-32":                 {[]byte("{\x00\x00\x00}\x00\x00\x00"), "UTF-32"},
		"UTF-32, marked":         {[]byte("\xff\xfe\x00\x00{\x00\x00\x00"), "UTF-32"},
		"UTF-8, marked":          {[]byte("\ufeff" + text), "byte order mark"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("PUT", "/lamps/hall", bytes.NewReader(c.body))
			r.Header.Set("Content-Type", "application/json")
			_, err := Body(r, "application/json")
			require.Error(t, err)
			p := problem.From(t.Context(), err)
			require.Equal(t, problem.MediaType, p.Kind)
			require.Contains(t, p.Detail, c.says)
			require.Equal(t, [2]string{"Accept", "application/json"}, p.Offer)
		})
	}
}

// TestABodyThatIsNotThere is asked for: the host drops the Content-Type of an empty one.
func TestABodyThatIsNotThere(t *testing.T) {
	t.Parallel()
	_, err := Body(httptest.NewRequest("PUT", "/lamps/hall", nil), "application/json")
	require.Equal(t, "PUT needs a body, as application/json.", problem.From(t.Context(), err).Detail)
}

// TestEveryBeginningOfJSONIsTaken: no JSON text is refused for how it begins.
func TestEveryBeginningOfJSONIsTaken(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{}", " {}", "\n{", "[", `"BZh"`, "1", "-1", "true", "null", ""} {
		require.Nil(t, otherFormat([]byte(text)), text)
	}
}
