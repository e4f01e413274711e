package rules_test

import (
	"fmt"
	"maps"
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
	"account document, http and https":                                "TestAccountEchoesHost",
	"master-key signatures, clock skew":                               "TestAuthentication",
	"databases, containers":                                           "TestDatabasesAndContainers",
	"create, read, replace, upsert, delete, If-Match":                 "TestPointOperations",
	"patch with condition":                                            "TestPatch",
	"transactional batch: atomic, durable, all limits":                "TestBatchLimits",
	"query inside a partition":                                        "TestQueryInsidePartition",
	"query across partitions":                                         "TestQueryAcrossPartitions",
	"names and resource ids as addresses":                             "TestByResourceIDs",
	"headers that change a request's meaning":                         "TestHeadersThatMean",
	"ORDER BY by the index policy: excluded paths, composite indexes": "TestCanOrder",
	"query plans, and their queries by range":                         "TestPlan",
	"indexes: range and composite, all of the policy's paths":         "TestIndexOrScan",
	"partition-key ranges, 1 to 64":                                   "TestRangeFeed",
	"access tokens of a local issuer, and of the emulators' form":     "TestAccessTokens",
	"offers: manual and autoscale throughput":                         "TestOffers",
	"splits":                     "TestSplitUnderAFeed",
	"session tokens":             "TestSessionTokens",
	"lagging replicas on demand": "TestStaleReads",
	"request charges, totals":    "TestChargesOfABatch",
	"unique keys":                "TestUniqueKeys",
	"change feed: latest version, by range, by key, from a time":           "TestChangeFeed",
	"batches that are not atomic (bulk)":                                   "TestBulk",
	"batches and bulks in HybridRow, as .NET sends them":                   "TestRowsOfEveryOperation",
	"a data explorer in the browser":                                       "TestExplorer",
	"throttling and other faults on demand":                                "TestBudget",
	"time to live":                                                         "TestTimeToLive",
	"SAS at `$cbs`: signature, expiry, scope, claims":                      "TestTokens",
	"queues, topics, subscriptions":                                        "TestTopics",
	"single messages, batches, several frames, size limit, of both tiers":  "TestPremium",
	"peek-lock, complete, abandon, defer, dead-letter, receive-and-delete": "TestSettlements",
	"locks, renewal, delivery count, maximum":                              "TestMaxDeliveries",
	"sessions: named, next, state, list, renewal":                          "TestSessionState",
	"duplicate detection":                                                  "TestDuplicates",
	"scheduled messages":                                                   "TestSchedules",
	"time to live, dead-lettering on expiry":                               "TestTimeToLive",
	"auto-forward":                                                         "TestForwarding",
	"correlation filters":                                                  "TestTopics",
	"SQL filters and actions":                                              "TestRuleActions",
	"rules over `$management`":                                             "TestServiceBusJS",
	"administration REST":                                                  "TestAdminCreatesAndDeletes",
	"keys of an entity":                                                    "TestEntityKeys",
	"TLS, HTTP and AMQP on one port":                                       "TestOnePort",
	"transactions: send, settle, schedule, cancel and set a session's state in one, across entities": "TestSessionStateInATransaction",
	"AMQP over WebSockets":                "TestWebSockets",
	"faults on demand":                    "TestFaultsOnSend",
	"transfer dead-letter queues":         "TestTransferDeadLetters",
	"time and state for tests":            "TestAdvance",
	"disabled entities, AutoDeleteOnIdle": "TestDisabledEntities",
}

// behaviours of Service Bus that clients of minibus rely on, each with the tests that fail when it is missing. Those
// that are JavaScript's own have the case of a script of test/compat.
var behaviours = [...]string{
	1:  "TestIdleConnectionLives",                                                                        // an idle client keeps its connection
	2:  "TestUnknownEntity",                                                                              // fast, CodeNotFound
	3:  "TestTokens",                                                                                     // wrong key, expired token
	4:  "TestTokensHaveOneLink",                                                                          // $cbs
	5:  "TestManyLinksOnOneConnection",                                                                   // twenty at once
	6:  "TestTokens",                                                                                     // Listen is not Send
	7:  "TestManyLinksOnOneConnection",                                                                   // close twice, no link is left
	8:  "TestMessagesRoundTrip, application properties of every type",                                    // values of every AMQP type
	9:  "TestMessagesRoundTrip",                                                                          // an id for those that have none
	10: "TestSizes",                                                                                      // batches of 256 KB, in order
	11: "TestSizes",                                                                                      // several frames, too large
	12: "TestMessagesRoundTrip, an annotated message: value, sequence and data bodies",                   // bodies of every kind
	13: "TestAdminUpdates",                                                                               // send after a forced detach
	14: "TestSessionReceiversAndOthers",                                                                  // no session id
	15: "TestSendReceiveComplete",                                                                        // order, counts, locks
	16: "TestUnusedCreditLosesNothing",                                                                   // credit of a receive that ended
	17: "TestSettleTwice",                                                                                // complete, and again
	18: "TestSettlements",                                                                                // abandon with properties
	19: "TestSettlements",                                                                                // dead-letter with a reason
	20: "TestSettlements",                                                                                // defer
	21: "TestSettlements",                                                                                // a deferred message that is abandoned
	22: "TestLocksExpire",                                                                                // lock lost, delivered again
	23: "TestLocksExpire",                                                                                // renewal
	24: "TestSettlements",                                                                                // settled through another receiver
	25: "TestMaxDeliveries",                                                                              // exactly N
	26: "TestTimeToLive",                                                                                 // gone, or dead-lettered
	27: "TestReceiveAndDeleteKeepsWhatHasArrived",                                                        // receive-and-delete
	28: "TestDrain, an empty queue answers [] in time, and the link stays open",                          // drain
	29: "TestConcurrentReceivers, subscribe with two calls at once processes five messages exactly once", // exactly once
	30: "TestPeekChangesNothing",                                                                         // peek
	31: "TestSchedules",                                                                                  // schedule and cancel
	32: "TestSchedules",                                                                                  // scheduled by a plain send
	33: "TestDuplicates",                                                                                 // the window
	34: "TestSessionHasOneOwner",                                                                         // and is free at once
	35: "TestNoSessionInTime",                                                                            // CodeTimeout
	36: "TestSessionsKeepOrder",                                                                          // each its own, in order
	37: "TestSessionsKeepOrder",                                                                          // closed with unsettled messages
	38: "TestSessionLock",                                                                                // expiry and renewal
	39: "TestSessionState",                                                                               // set, get, clear
	40: "TestListSessions",                                                                               // two pages, by state
	41: "TestSessionReceiversAndOthers",                                                                  // receivers without sessions
	42: "TestTopics",                                                                                     // a copy each
	43: "TestSQLRulePicks, TestTopics, TestAdminChangesRules",                                            // rules
	44: "TestRuleActions",                                                                                // actions
	45: "TestTopics",                                                                                     // dead letters of a subscription
	46: "TestCutConnections",                                                                             // a connection that breaks
	47: "TestUnknownEntity, TestStrangers, TestFaults",                                                   // what nobody should send
	48: "TestConcurrentReceivers",                                                                        // ten thousand, exactly once
	49: "TestCrashLosesNothingConfirmed, TestRestartOnRealDisk",                                          // restart
}

// withoutBroker is the test of a server that nobody stands behind: there is nothing whose faults could be switched on.
const withoutBroker = "TestFaults"

// TestBehavioursHaveTests: none is without, and every test and case is there.
func TestBehavioursHaveTests(t *testing.T) {
	t.Parallel()
	tests := testsOf(t, filepath.Join(root(t), "local", "minibus"))
	files, err := filepath.Glob(filepath.Join(root(t), "test", "compat", "scripts", "servicebus_*.mjs"))
	require.NoError(t, err)
	scripts := ""
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		scripts += string(text)
	}
	shaken, err := os.ReadFile(filepath.Join(root(t), "local", "minibus", "behaviours_test.go"))
	require.NoError(t, err)
	for number, names := range behaviours[1:] {
		require.NotEmpty(t, names, "behaviour %d", number+1)
		for len(names) > 0 {
			name, rest, _ := strings.Cut(names, ", Test")
			if rest != "" {
				rest = "Test" + rest
			}
			test, script, both := strings.Cut(name, ", ")
			require.Contains(t, tests, test, "behaviour %d", number+1)
			if test != withoutBroker {
				require.Regexp(t, "	\""+test+"\": +"+test+",", string(shaken), "behaviour %d runs under faults too", number+1)
			}
			if both {
				require.Contains(t, scripts, "'"+script+"':", "behaviour %d", number+1)
			}
			names = rest
		}
	}
}

// TestCompatIsTrue: every operation that is called done has a test of that name in the
// stand-ins, and every entry above is still in the document.
func TestCompatIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "compat.md"))
	require.NoError(t, err)
	tests := testsOf(t, filepath.Join(root(t), "local"))
	maps.Copy(tests, testsOf(t, filepath.Join(root(t), "test", "compat")))
	done := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \| done \|`).FindAllStringSubmatch(string(text), -1) {
		done[row[1]] = true
		require.Contains(t, tests, evidence[row[1]], "docs/compat.md calls %q done", row[1])
	}
	for name := range evidence {
		require.True(t, done[name], "%q is not in docs/compat.md any more, or not done", name)
	}
	suite, err := os.ReadFile(filepath.Join(root(t), "test", "azsuite", "suite_test.go"))
	require.NoError(t, err)
	listed := regexp.MustCompile(`(?m)^	"(Test\w+)": +"`).FindAllStringSubmatch(string(suite), -1)
	require.NotEmpty(t, listed)
	for _, name := range listed {
		require.Contains(t, string(text), "| "+name[1]+" |", "a test of azcosmos that does not pass")
	}
	walked, err := os.ReadFile(filepath.Join(root(t), "local", "minibus", "steplist_test.go"))
	require.NoError(t, err)
	steps := len(regexp.MustCompile(`(?m)^	\{"`).FindAll(walked, -1))
	require.Contains(t, string(text), fmt.Sprintf("goes through %d steps", steps), "the steps between which minibus is harmed")
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
