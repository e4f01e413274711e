package compat_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/test/shake"
	"github.com/relaybox/relaybox/test/victim"
)

func TestMain(m *testing.M) {
	servers := shake.Servers()
	servers[busName] = serveBus
	os.Exit(victim.Main(m, servers))
}

// TestCosmosJSIsShaken: the cases of TestCosmosJS end as they do in peace.
func TestCosmosJSIsShaken(t *testing.T) {
	t.Parallel()
	modules(t, "@azure/cosmos")
	shaken(t, func(script string) []string { return []string{"node", filepath.Join("scripts", script)} }, map[string]int{"cosmos.mjs": 1, "cosmos_across.mjs": 3})
}

// TestCosmosPythonIsShaken: the same for azure-cosmos of PyPI.
func TestCosmosPythonIsShaken(t *testing.T) {
	t.Parallel()
	python := pythonWith(t, "azure-cosmos", "aiohttp")
	shaken(t, func(script string) []string { return []string{python, filepath.Join("scripts", script)} }, map[string]int{"cosmos.py": 3, "cosmos_queries.py": 3, "cosmos_async.py": 1})
}

// TestCosmosJavaIsShaken: the same for azure-cosmos of Maven Central.
func TestCosmosJavaIsShaken(t *testing.T) {
	t.Parallel()
	program, _ := javaCosmos(t)
	shaken(t, program, map[string]int{"Cases": 3})
}

// shaken runs each script, on a number of ranges, once for each way to shake the server.
func shaken(t *testing.T, program func(script string) []string, scripts map[string]int) {
	t.Helper()
	for name, way := range shake.Ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			total := 0
			for script, ranges := range scripts {
				server := shake.Start(t, way, ranges, nil, nil)
				list := programCases(t, program(script), server.URL)
				for _, one := range list {
					assert.Empty(t, one.Error, "%s: %s", script, one.Name)
				}
				requests, harm := server.Harm(t)
				t.Logf("%s: %d cases, %d requests, harm %v", script, len(list), requests, harm)
				for _, n := range harm {
					total += n
				}
			}
			require.Greater(t, total, 10, "what happened to the server")
		})
	}
}
