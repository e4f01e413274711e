package doctor

import (
	"errors"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/handler/config"
)

func TestCheckReads(t *testing.T) {
	t.Parallel()
	fine, guarded := miniredis.RunT(t), miniredis.RunT(t)
	guarded.RequireAuth("right")
	for name, c := range map[string]struct {
		url, host     string
		status        Status
		found, remedy string
	}{
		"fine":          {"redis://" + fine.Addr(), "", OK, "an entry was written and read", ""},
		"no password":   {"redis://" + guarded.Addr(), "", Warning, "reads go to the store", "correct user and password"},
		"wrong":         {"redis://:wrong@" + guarded.Addr(), "", Warning, "reads go to the store", "correct user and password"},
		"nobody":        {"redis://127.0.0.1:1", "", Warning, "connection refused; reads go to the store", "start the server"},
		"no identity":   {"", "127.0.0.1:1", Unknown, "", ""},
		"no connection": {"http://x", "", Unknown, "not asked", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cfg config.Config
			cfg.Redis.URL, cfg.Redis.Host = c.url, c.host
			g := checkReads(t.Context(), cfg, identities{given: tokenless{errors.New("none")}})
			require.Len(t, g.Findings, 1)
			require.Equal(t, c.status, g.Findings[0].Status, g.Findings[0])
			require.Contains(t, g.Findings[0].Found, c.found)
			require.Contains(t, g.Findings[0].Remedy, c.remedy)
			require.NotContains(t, g.Findings[0].Found+g.Findings[0].Remedy+g.Name, "wrong")
		})
	}
}
