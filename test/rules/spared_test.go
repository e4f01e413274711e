package rules_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// spares are the lists of test/compat/spared_test.go: what docs/compat.md calls the client, the scripts with its cases, and the
// test that plays them while the broker is harmed.
var spares = map[string]struct{ client, pattern, test string }{
	"sparedJS":     {"@azure/service-bus", "servicebus_*.mjs", "TestServiceBusJSIsHarmed"},
	"sparedRhea":   {"rhea", "rhea_*.mjs", "TestRheaIsHarmed"},
	"sparedProton": {"Apache Qpid Proton", "proton_*.py", "TestProtonIsHarmed"},
	"sparedPython": {"azure-servicebus (Python)", "pybus_*.py", "TestServiceBusPythonIsHarmed"},
	"sparedJava":   {"azure-messaging-servicebus (Java)", "java-servicebus/*.java", "TestServiceBusJavaIsHarmed"},
}

// sparedFromCuts are the reasons that hold for kills and for cuts; the others hold for kills alone.
var sparedFromCuts = []string{"sessions", "ways", "links"}

// TestSparedCasesAreThere: no case that is spared from kills or cuts is without a script, and docs/compat.md says how many there are.
func TestSparedCasesAreThere(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "test", "compat", "spared_test.go"))
	require.NoError(t, err)
	compat, err := os.ReadFile(filepath.Join(root(t), "docs", "compat.md"))
	require.NoError(t, err)
	tests := testsOf(t, filepath.Join(root(t), "test", "compat"))
	lists := regexp.MustCompile(`(?ms)^var (\w+) = spare\{\n(.*?)^\}`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, lists, len(spares))
	for _, list := range lists {
		s, ok := spares[list[1]]
		require.True(t, ok, "%s is not known here", list[1])
		require.Contains(t, tests, s.test)
		scripts := ""
		files, err := filepath.Glob(filepath.Join(root(t), "test", "compat", "scripts", s.pattern))
		require.NoError(t, err)
		for _, file := range files {
			script, err := os.ReadFile(file)
			require.NoError(t, err)
			scripts += string(script)
		}
		kills, cuts := 0, 0
		for _, reason := range regexp.MustCompile(`(?ms)^\t(\w+): \[\]string\{\n(.*?)^\t\}`).FindAllStringSubmatch(list[2], -1) {
			names := regexp.MustCompile(`(?m)^\t\t(".*"),$`).FindAllStringSubmatch(reason[2], -1)
			for _, quoted := range names {
				name, err := strconv.Unquote(quoted[1])
				require.NoError(t, err)
				there := strings.Contains(scripts, `"`+name+`"`) || strings.Contains(scripts, `'`+name+`'`)
				require.True(t, there, "%s spares %q, which is no case of %s", list[1], name, s.pattern)
			}
			kills += len(names)
			if slices.Contains(sparedFromCuts, reason[1]) {
				cuts += len(names)
			}
		}
		require.NotZero(t, kills, "%s", list[1])
		require.Regexp(t, fmt.Sprintf(`(?m)^\| %s \|.*\| %d \| %d \|$`, regexp.QuoteMeta(s.client), kills, cuts), string(compat))
	}
}
