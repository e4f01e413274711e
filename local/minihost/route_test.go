package minihost

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRouteVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/host-invocations.json")
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
		r, err := parseRoute("api/" + c.Route)
		require.NoError(t, err)
		path, ok := decodePath("/api/profiles/" + c.ID)
		require.True(t, ok)
		_, matched := r.match(strings.TrimPrefix(path, "/"))
		require.Equal(t, c.Status == 200, matched, "%s %s", c.Route, c.ID)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		template, path string
		want           string // "no", or the parameters
	}{
		{"api/profiles/{id}", "API/Profiles/P-1", "id=P-1"},
		{"api/profiles/{id}", "api/profiles/p-1/", "id=p-1"},
		{"api/profiles/{id}", "api/profiles/p-1//", "no"},
		{"api/profiles/{id}", "api//profiles/p-1", "no"},
		{"api/profiles/{id}", "api/profiles//", "no"},
		{"api/profiles/{id}", "api/profiles", "no"},
		{"api/profiles/{id?}", "api/profiles", ""},
		{"api/profiles/{id=me}", "api/profiles/", "id=me"},
		{"api/{a}/{b:int}", "api/x/12", "a=x b=12"},
		{"api/{a}/{b:int}", "api/x/y", "no"},
		{"api/{*rest}", "api/a/b/c", "rest=a/b/c"},
		{"api/{id:alpha:maxlength(3)}", "api/abc", "id=abc"},
		{"api/{id:alpha:maxlength(3)}", "api/abcd", "no"},
		{"api/{id:regex(^(a|b)+$)}", "api/AB", "id=AB"},
		{"api/{id:length(2,3)?}", "api/😀", "id=😀"},
		{"api/{n:range(1,9)}", "api/10", "no"},
		{"api/{id:guid}", "api/8e0f6f4e-0000-4000-8000-000000000001", "id=8e0f6f4e-0000-4000-8000-000000000001"},
	} {
		r, err := parseRoute(c.template)
		require.NoError(t, err, c.template)
		params, ok := r.match(c.path)
		got := "no"
		if ok {
			var list []string
			for _, p := range params {
				list = append(list, p.name+"="+p.value)
			}
			got = strings.Join(list, " ")
		}
		require.Equal(t, c.want, got, "%s on %s", c.template, c.path)
	}
	for _, template := range []string{"a//b", "a/{x", "a/{}", "a/x{y}", "{*a}/b", "{a?}/b", "{a:nope}", "{a:regex(()}", "{a:regex(x}", "{a:min(x)}", "{a}?"} {
		_, err := parseRoute(template)
		require.Error(t, err, template)
	}
}
