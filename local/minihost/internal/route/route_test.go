package route

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
		r, err := Parse(c.template)
		require.NoError(t, err, c.template)
		params, ok := r.Match(c.path)
		got := "no"
		if ok {
			var list []string
			for _, p := range params {
				list = append(list, p.Name+"="+p.Value)
			}
			got = strings.Join(list, " ")
		}
		require.Equal(t, c.want, got, "%s on %s", c.template, c.path)
	}
	for _, template := range []string{"a//b", "a/{x", "a/{}", "a/x{y}", "{*a}/b", "{a?}/b", "{a:nope}", "{a:regex(()}", "{a:regex(x}", "{a:min(x)}", "{a}?"} {
		_, err := Parse(template)
		require.Error(t, err, template)
	}
}
