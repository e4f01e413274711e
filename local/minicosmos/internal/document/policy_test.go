package document

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

func TestDefaultTimeToLive(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		container string
		own       int32
		want      int64
	}{
		"off":                     {`{}`, 5, 0},
		"off, null":               {`{"defaultTtl":null}`, 5, 0},
		"on, none of its own":     {`{"defaultTtl":-1}`, 0, 0},
		"on, own":                 {`{"defaultTtl":-1}`, 5, 105},
		"default":                 {`{"defaultTtl":10}`, 0, 110},
		"default, own":            {`{"defaultTtl":10}`, 5, 105},
		"default, own says never": {`{"defaultTtl":10}`, -1, 0},
	} {
		p, err := NewPolicy(parsed(t, test.container), nil)
		require.NoError(t, err)
		require.Equal(t, test.want, p.Expiry(100, test.own), name)
	}
	_, err := NewPolicy(parsed(t, `{"defaultTtl":0}`), nil)
	require.Error(t, err)
}

func parsed(t *testing.T, text string) sql.Value {
	t.Helper()
	v, err := sql.ParseJSON([]byte(text))
	require.NoError(t, err)
	return v
}
