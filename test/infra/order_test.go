package infra_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// step is a nested deployment of the group's template: what it makes, and what it waits for.
type step struct {
	makes    string // JSON of its template
	waitsFor []string
}

// steps are the nested deployments by their names.
func steps(t *testing.T) map[string]step {
	t.Helper()
	_, text := compile(t)
	var main struct {
		Resources []struct {
			Type       string
			Properties struct {
				Template struct {
					Resources []struct {
						Type, Name string
						DependsOn  []string
						Properties struct{ Template json.RawMessage }
					}
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &main))
	named := regexp.MustCompile(`'Microsoft\.Resources/deployments', '([^']+)'`)
	found := map[string]step{}
	for _, r := range main.Resources {
		for _, module := range r.Properties.Template.Resources {
			s := step{makes: string(module.Properties.Template)}
			for _, d := range module.DependsOn {
				m := named.FindStringSubmatch(d)
				require.NotNil(t, m, d)
				s.waitsFor = append(s.waitsFor, m[1])
			}
			found[module.Name] = s
		}
	}
	return found
}

// TestTheAppComesLast: a host that starts before it may read its storage, or before the
// network leads there, stays down until somebody restarts it.
func TestTheAppComesLast(t *testing.T) {
	t.Parallel()
	all := steps(t)
	app, prerequisites := "", map[string]bool{}
	for name, s := range all {
		if strings.Contains(s.makes, `"Microsoft.Web/sites"`) {
			require.Empty(t, app, "there is one app")
			app = name
			continue
		}
		for _, kind := range []string{"roleAssignments", "sqlRoleAssignments", "blobServices/containers", "Microsoft.Network/privateEndpoints"} {
			if strings.Contains(s.makes, "/"+kind+`"`) || strings.Contains(s.makes, `"`+kind+`"`) {
				prerequisites[name] = true
			}
		}
	}
	require.NotEmpty(t, app)
	require.GreaterOrEqual(t, len(prerequisites), 8, "monitoring, storage, store, bus and four endpoints")
	for name := range prerequisites {
		require.Contains(t, all[app].waitsFor, name)
	}
}

// TestNamesOfRolesAreStable: what-if and a second deployment find the assignments of the
// first one, and no two have the same name.
func TestNamesOfRolesAreStable(t *testing.T) {
	t.Parallel()
	_, text := compile(t)
	require.NotContains(t, string(text), "newGuid(")
	require.NotContains(t, string(text), "utcNow(")
	every(t, func(t *testing.T, d deployment) {
		seen := map[string]bool{}
		for _, r := range append(d.of("Microsoft.Authorization/roleAssignments"), d.of("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments")...) {
			require.Contains(t, r.Name, "guid:")
			require.NotContains(t, r.Name, "reference(", "a name that only the deployment knows")
			require.False(t, seen[r.Name], r.Name)
			seen[r.Name] = true
		}
	})
}
