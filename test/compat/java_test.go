package compat_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var javaSuites = []string{"messages", "settling", "sessions", "administration"}

// TestServiceBusJava: the unmodified azure-messaging-servicebus, Microsoft's client for Java, works with minibus as with
// Service Bus.
func TestServiceBusJava(t *testing.T) {
	t.Parallel()
	classpath := compiled(t, "JAVA_SERVICEBUS", "java-servicebus")
	for _, suite := range javaSuites {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			runScript(t, "java", "-cp", classpath, "Cases", suite)
		})
	}
}

// TestServiceBusJavaIsHarmed: its cases end as in peace, when the broker is killed or cut off between two calls of the client.
// The calls of an open transaction are one: it ends with its connection.
func TestServiceBusJavaIsHarmed(t *testing.T) {
	t.Parallel()
	classpath := compiled(t, "JAVA_SERVICEBUS", "java-servicebus")
	harmedInTurn(t, func(suite string) []string { return []string{"java", "-cp", classpath, "Cases", suite} }, javaSuites, sparedJava)
}

// compiled compiles the cases in a folder with the class path that a variable names a file of. It returns the class path
// to run them with; a test is skipped without.
func compiled(t *testing.T, variable, folder string) string {
	t.Helper()
	file := os.Getenv(variable)
	if file == "" {
		t.Skipf("%s does not name a file with a class path: mvn -f test/compat/scripts/%s dependency:build-classpath -Dmdep.outputFile=FILE", variable, folder)
	}
	for _, tool := range []string{"java", "javac"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool)
		}
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	sources, err := filepath.Glob(filepath.Join("scripts", folder, "*.java"))
	require.NoError(t, err)
	require.NotEmpty(t, sources)
	out, libraries := t.TempDir(), strings.TrimSpace(string(text))
	said, err := exec.Command("javac", append([]string{"-nowarn", "-encoding", "UTF-8", "-d", out, "-cp", libraries}, sources...)...).CombinedOutput() //nolint:gosec // the tester's own compiler
	require.NoError(t, err, "%s", said)
	return out + string(os.PathListSeparator) + libraries
}
