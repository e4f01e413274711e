package front

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Rules behind the recorded exchanges, one step further.
func TestForwardRules(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"application/json":                     "application/json",
		"application/json;charset=utf-8":       "application/json; charset=utf-8",
		`multipart/form-data ; boundary="a;b"`: `multipart/form-data; boundary="a;b"`,
		"not a type":                           "", "text/plain;": "", "text": "", "/": "", "a/b; =x": "", "a/b, c/d": "",
	} {
		got, ok := mediaType(in)
		require.Equal(t, want != "", ok, in)
		require.Equal(t, want, got, in)
	}
	for in, want := range map[string]string{
		"keep-alive, X-Hop": "keep-alive", "X-Hop": "X-Hop", "CLOSE": "close", "upgrade": "Upgrade", "close, keep-alive": "close, keep-alive",
	} {
		require.Equal(t, want, connectionValue(in), in)
	}
	require.Equal(t, "curl/8.0 (a  b) x/1", collapse("  curl/8.0   (a  b)\tx/1 "))
	for in, want := range map[string]string{
		"/a b":           "/a%20b",
		"/a?b":           "/a",
		"/a#b":           "/a",
		`/a\b`:           "/a/b",
		`/a\..\b`:        "/b",
		"/a%2Fb":         "/a%2Fb",
		"/a%41":          "/aA",
		"/100%":          "/100%25",
		"/Æ":             "/%C3%86",
		`/"<>^{|}` + "`": "/%22%3C%3E%5E%7B%7C%7D%60",
		"/trailing ":     "/trailing",
		"/[x]'!*":        "/[x]'!*",
	} {
		require.Equal(t, want, absolutePath(in, false), in)
	}
	for in, want := range map[string]string{
		"/a/./b": "/a/b", "/a/../b": "/b", "/../a": "/a", "/a/..": "/", "/a/.": "/a/", "/a//b": "/a//b", "/.a/..b": "/.a/..b",
		"/%41%2f%C3%86": "/A%2fÆ", "/%FF%zz%": "/%FF%zz%", "/%E2%82": "/%E2%82", "/%EF%BF%BD": "/\uFFFD",
	} {
		got, ok := decodePath(in)
		require.True(t, ok, in)
		require.Equal(t, want, got, in)
	}
	for in, want := range map[string]string{
		"": "", "&&": "", "a&A=1&b=%20": "?a=,1&b=%20", "x=%FF": "?x=%25FF", "q='\"<>": "?q=%27%22%3C%3E", "q=!$()*,-.;@_~": "?q=!$()*,-.;@_~",
	} {
		require.Equal(t, want, rebuildQuery(parseQuery(in)), in)
	}
}
