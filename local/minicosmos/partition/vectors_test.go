package partition

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

type vector struct {
	Kind    string
	Version int
	Paths   int
	Key     string
	EPK     string
	Def     string
	N       int
	Bounds  []string
}

func vectors(t testing.TB) []vector {
	text, err := os.ReadFile("testdata/partition-keys.json")
	require.NoError(t, err)
	var file struct{ Cases []vector }
	require.NoError(t, json.Unmarshal(text, &file))
	return file.Cases
}

func define(t testing.TB, kind string, version, paths int) *Definition {
	d := Definition{Kind: kind, Version: version}
	for i := range max(paths, 1) {
		d.Paths = append(d.Paths, fmt.Sprintf("/p%d", i))
	}
	text, err := json.Marshal(d)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &d))
	return &d
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		if v.Kind == "ranges" {
			continue
		}
		key, err := ParseHeader(v.Key)
		if len(v.Key) > MaxBytes && err != nil {
			require.ErrorIs(t, err, ErrTooLong)
			key, err = parseJSONKey(v.Key)
		}
		require.NoError(t, err, v.Key)
		require.Equal(t, v.EPK, define(t, v.Kind, v.Version, v.Paths).EPK(key), "%s version %d of %.60s", v.Kind, v.Version, v.Key)
	}
}

func TestSplitVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		if v.Kind != "ranges" {
			continue
		}
		version := int(v.Def[len(v.Def)-1] - '0')
		ranges := define(t, Hash, version, 1).Split(v.N)
		require.Len(t, ranges, v.N)
		require.Equal(t, MinEPK, ranges[0].Min)
		require.Equal(t, MaxEPK, ranges[v.N-1].Max)
		for i, bound := range v.Bounds {
			require.Equal(t, bound, ranges[i].Max, "%s, %d ranges", v.Def, v.N)
			require.Equal(t, bound, ranges[i+1].Min)
		}
	}
}
