package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// evidence names, for each operation that docs/compat.md calls done, a test that fails
// when it is not.
var evidence = map[string]string{
	"account document, http and https":                                     "TestAccountEchoesHost",
	"master-key signatures, clock skew":                                    "TestAuthentication",
	"databases, containers":                                                "TestDatabasesAndContainers",
	"create, read, replace, upsert, delete, If-Match":                      "TestPointOperations",
	"patch with condition":                                                 "TestPatch",
	"transactional batch: atomic, durable, all limits":                     "TestBatchLimits",
	"query inside a partition":                                             "TestQueryInsidePartition",
	"query across partitions":                                              "TestQueryAcrossPartitions",
	"partition-key ranges, 1 to 64":                                        "TestRangeFeed",
	"time to live":                                                         "TestTimeToLive",
	"SAS at `$cbs`: signature, expiry, scope, claims":                      "TestTokens",
	"queues, topics, subscriptions":                                        "TestTopics",
	"single messages, batches, several frames, size limit":                 "TestSizes",
	"peek-lock, complete, abandon, defer, dead-letter, receive-and-delete": "TestSettlements",
	"locks, renewal, delivery count, maximum":                              "TestMaxDeliveries",
	"sessions: named, next, state, list, renewal":                          "TestSessionState",
	"duplicate detection":                                                  "TestDuplicates",
	"scheduled messages":                                                   "TestSchedules",
	"time to live, dead-lettering on expiry":                               "TestTimeToLive",
	"auto-forward":                                                         "TestForwarding",
	"correlation filters":                                                  "TestTopics",
	"SQL filters and actions":                                              "TestRuleActions",
}

// TestCompatIsTrue: every operation that is called done has a test of that name in the
// stand-ins, and every entry above is still in the document.
func TestCompatIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "compat.md"))
	require.NoError(t, err)
	tests := testsOf(t, filepath.Join(root(t), "local"))
	done := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \| done \|`).FindAllStringSubmatch(string(text), -1) {
		done[row[1]] = true
		require.Contains(t, tests, evidence[row[1]], "docs/compat.md calls %q done", row[1])
	}
	for name := range evidence {
		require.True(t, done[name], "%q is not in docs/compat.md any more, or not done", name)
	}
	require.Contains(t, string(text), "`forward`, `default` and `admin` cases are equal")
	vectors, err := os.ReadFile(filepath.Join(root(t), "local", "minihost", "vectors_test.go"))
	require.NoError(t, err)
	require.Contains(t, string(vectors), "knownDifferences = []string{}", "name each difference in docs/compat.md")
}

func testsOf(t *testing.T, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t `).FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = true
		}
		return nil
	})
	require.NoError(t, err)
	return found
}
