package compat_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCasesOfRivals: docs/compat.md says of each case for JavaScript whether @vercel/cosmosdb-server passes it; a case that
// every server passes has no row.
func TestCasesOfRivals(t *testing.T) {
	t.Parallel()
	modules(t, "@azure/cosmos")
	modules(t, vercel)
	rows := rivalRows(t)
	passed, tried := 0, 0
	for _, script := range []string{"cosmos.mjs", "cosmos_across.mjs"} {
		for _, one := range cosmosCases(t, script, startVercel(t), stay) {
			tried++
			if one.Error == "" {
				passed++
			}
			row, listed := rows[one.Name]
			require.Equal(t, one.Error == "", !listed || row[0] == "passes", "%s: docs/compat.md says %q, it ended with %s", one.Name, row, one.Error)
			delete(rows, one.Name)
		}
	}
	require.Empty(t, rows, "rows of docs/compat.md without a case")
	require.Equal(t, 25, passed, "docs/compat.md has the count")
	require.Equal(t, 53, tried, "docs/compat.md has the count")
}

// rivalRows are the rows of the table of rivals by case: what is said of @vercel/cosmosdb-server, and of cosmium.
func rivalRows(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "compat.md"))
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "\n| case | @vercel/cosmosdb-server | cosmium |\n|---|---|---|\n")
	require.True(t, found, "the table of rivals")
	rows := map[string][]string{}
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		require.Len(t, cells, 3, line)
		rows[cells[0]] = cells[1:]
	}
	return rows
}
