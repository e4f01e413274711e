package front

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minihost/internal/route"
)

func TestRouteVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "host-invocations.json"))
	require.NoError(t, err)
	var file struct {
		Routes []struct {
			Route, ID string
			Status    int
		}
	}
	require.NoError(t, json.Unmarshal(raw, &file))
	require.NotEmpty(t, file.Routes)
	for _, c := range file.Routes {
		r, err := route.Parse("api/" + c.Route)
		require.NoError(t, err)
		path, ok := decodePath("/api/profiles/" + c.ID)
		require.True(t, ok)
		_, matched := r.Match(strings.TrimPrefix(path, "/"))
		require.Equal(t, c.Status == 200, matched, "%s %s", c.Route, c.ID)
	}
}
