package minihost

import (
	"slices"
	"strings"

	"github.com/relaybox/relaybox/local/minihost/internal/app"
	"github.com/relaybox/relaybox/local/minihost/internal/route"
)

// table routes HTTP requests to functions. Read-only after newTable.
type table struct {
	functions []*app.Definition // sorted by precedence
}

func newTable(all []*app.Definition) *table {
	t := &table{}
	for _, f := range all {
		if f.Trigger == HTTPTrigger && len(f.Errors) == 0 && !f.Disabled {
			t.functions = append(t.functions, f)
		}
	}
	slices.SortStableFunc(t.functions, func(a, b *app.Definition) int {
		return strings.Compare(a.Template.Precedence(), b.Template.Precedence())
	})
	return t
}

// find returns the function that serves a method on a decoded path; a method
// that no function of the route lists is as unknown as the path would be.
func (t *table) find(method, path string) (*app.Definition, []route.Param) {
	path = strings.TrimPrefix(path, "/")
	for _, f := range t.functions {
		if len(f.Methods) > 0 && !slices.Contains(f.Methods, strings.ToUpper(method)) {
			continue
		}
		if params, ok := f.Template.Match(path); ok {
			return f, params
		}
	}
	return nil, nil
}
