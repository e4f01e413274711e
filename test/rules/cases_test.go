package rules_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// clients whose cases docs/compat.md counts: where they stand, how one begins, and the tests that play all of them.
var clients = map[string]struct{ pattern, begin, test string }{
	"azure-messaging-servicebus (Java)": {"java-servicebus/*.java", `(?m)^\s+c\.add\(`, "TestServiceBusJava"},
	"azure-servicebus (Python)":         {"pybus_*.py", `(?m)^@case$`, "TestServiceBusPython"},
	"@azure/service-bus (JavaScript)":   {"servicebus_*.mjs", `(?m)^  (?:async )?'`, "TestServiceBusJS"},
}

// TestCaseCountsAreTrue: docs/compat.md has as many cases of each client as there are, and a test that fails when one of
// them does.
func TestCaseCountsAreTrue(t *testing.T) {
	t.Parallel()
	compat, err := os.ReadFile(filepath.Join(root(t), "docs", "compat.md"))
	require.NoError(t, err)
	tests := testsOf(t, filepath.Join(root(t), "test", "compat"))
	for client, c := range clients {
		files, err := filepath.Glob(filepath.Join(root(t), "test", "compat", "scripts", c.pattern))
		require.NoError(t, err)
		cases := 0
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			cases += len(regexp.MustCompile(c.begin).FindAll(text, -1))
		}
		require.Contains(t, tests, c.test)
		require.Regexp(t, fmt.Sprintf(`(?m)^\| %s \| [\d.]+ \| %d \|`, regexp.QuoteMeta(client), cases), string(compat))
	}
}
