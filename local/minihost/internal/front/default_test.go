package front

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
)

func TestHTTPResult(t *testing.T) {
	t.Parallel()
	for res, want := range map[string]struct {
		status      int
		media, body string
	}{
		`{"statusCode":201,"body":"x"}`:    {201, "text/plain; charset=utf-8", "x"},
		`{"statusCode":"404","body":null}`: {404, "text/plain; charset=utf-8", ""},
		`{"statusCode":"odd","body":5}`:    {200, "text/plain; charset=utf-8", "5"},
		`{"status":201,"body":1.0}`:        {200, "text/plain; charset=utf-8", "1"},
		`{"body":true}`:                    {200, "text/plain; charset=utf-8", "True"},
		`{"body":[1,{"a":[]}]}`:            {200, "text/plain; charset=utf-8", "[\n  1,\n  {\n    \"a\": []\n  }\n]"},
		`{"headers":{"content-type":"application/problem+json"},"body":{}}`:        {200, "application/problem+json; charset=utf-8", "{}"},
		`{"headers":{"Content-Type":"text/html; charset=utf-8","X":1},"body":"h"}`: {200, "text/html; charset=utf-8", "h"},
		`"{\"statusCode\":202,\"body\":\"text that is an object\"}"`:               {202, "text/plain; charset=utf-8", "text that is an object"},
	} {
		got, err := HTTPResult(azfunc.Answer{Outputs: map[string]json.RawMessage{"res": json.RawMessage(res)}}, "res")
		require.NoError(t, err, res)
		media, _ := got.Fields.Get("Content-Type")
		require.Equal(t, want.status, got.Status, res)
		require.Equal(t, want.media, media, res)
		require.Equal(t, want.body, string(got.Body), res)
	}
	for _, res := range []string{`5`, `"text"`, `[]`, `null`, `{"headers":{"X":null}}`, `{"headers":{"X":"a\r\nb"}}`, `{"headers":{"a b":"x"}}`} {
		_, err := HTTPResult(azfunc.Answer{Outputs: map[string]json.RawMessage{"res": json.RawMessage(res)}}, "res")
		require.ErrorIs(t, err, errHTTPOutput, res)
	}
	got, err := HTTPResult(azfunc.Answer{ReturnValue: json.RawMessage(`{"statusCode":204}`)}, "$return")
	require.NoError(t, err)
	require.Equal(t, 204, got.Status)
	got, err = HTTPResult(azfunc.Answer{}, "res")
	require.NoError(t, err)
	require.Equal(t, "{}", string(got.Body))
}
