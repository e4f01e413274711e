package minibus_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// behaviours are the tests of the behaviours that clients rely on; test/rules has them by number.
var behaviours = map[string]func(*testing.T){
	"TestAdminChangesRules":                   TestAdminChangesRules,
	"TestAdminUpdates":                        TestAdminUpdates,
	"TestConcurrentReceivers":                 TestConcurrentReceivers,
	"TestCrashLosesNothingConfirmed":          TestCrashLosesNothingConfirmed,
	"TestCutConnections":                      TestCutConnections,
	"TestDrain":                               TestDrain,
	"TestDuplicates":                          TestDuplicates,
	"TestIdleConnectionLives":                 TestIdleConnectionLives,
	"TestListSessions":                        TestListSessions,
	"TestLocksExpire":                         TestLocksExpire,
	"TestManyLinksOnOneConnection":            TestManyLinksOnOneConnection,
	"TestMaxDeliveries":                       TestMaxDeliveries,
	"TestMessagesRoundTrip":                   TestMessagesRoundTrip,
	"TestNoSessionInTime":                     TestNoSessionInTime,
	"TestPeekChangesNothing":                  TestPeekChangesNothing,
	"TestReceiveAndDeleteKeepsWhatHasArrived": TestReceiveAndDeleteKeepsWhatHasArrived,
	"TestRestartOnRealDisk":                   TestRestartOnRealDisk,
	"TestRuleActions":                         TestRuleActions,
	"TestSQLRulePicks":                        TestSQLRulePicks,
	"TestSchedules":                           TestSchedules,
	"TestSendReceiveComplete":                 TestSendReceiveComplete,
	"TestSessionHasOneOwner":                  TestSessionHasOneOwner,
	"TestSessionLock":                         TestSessionLock,
	"TestSessionReceiversAndOthers":           TestSessionReceiversAndOthers,
	"TestSessionState":                        TestSessionState,
	"TestSessionsKeepOrder":                   TestSessionsKeepOrder,
	"TestSettleTwice":                         TestSettleTwice,
	"TestSettlements":                         TestSettlements,
	"TestSizes":                               TestSizes,
	"TestStrangers":                           TestStrangers,
	"TestTimeToLive":                          TestTimeToLive,
	"TestTokens":                              TestTokens,
	"TestTokensHaveOneLink":                   TestTokensHaveOneLink,
	"TestTopics":                              TestTopics,
	"TestUnknownEntity":                       TestUnknownEntity,
	"TestUnusedCreditLosesNothing":            TestUnusedCreditLosesNothing,
}

// ways are what a broker does to its clients meanwhile, and they promise to get over.
var ways = map[string][]minibus.Fault{
	"delays": {
		{On: minibus.OnSend, Do: minibus.Delay, Chance: 0.3, Delay: moment},
		{On: minibus.OnReceive, Do: minibus.Delay, Chance: 0.3, Delay: moment},
		{On: minibus.OnSettle, Do: minibus.Delay, Chance: 0.3, Delay: moment},
		{On: minibus.OnManage, Do: minibus.Delay, Chance: 0.3, Delay: moment},
	},
	"throttling": {
		{On: minibus.OnSend, Do: minibus.Busy, Chance: 0.3},
		{On: minibus.OnManage, Do: minibus.Busy, Chance: 0.3},
	},
	"cuts": {
		{On: minibus.OnSend, Do: minibus.DropBefore, Chance: 0.2},
		{On: minibus.OnManage, Do: minibus.DropBefore, Chance: 0.2},
	},
}

const moment = minibus.Duration(20 * time.Millisecond)

// leftOut are the behaviours that a way leaves out, and why.
var leftOut = map[string]map[string]string{
	"delays": {},
	"throttling": {
		"TestSchedules": "it looks at what is due in half a second, and a client that is throttled waits for longer",
	},
	"cuts": {
		"TestSchedules":                           "it looks at what is due in half a second, and a client that was cut may need longer",
		"TestConcurrentReceivers":                 "what was under way to a receiver that is cut is locked for a minute",
		"TestManyLinksOnOneConnection":            "the same",
		"TestCutConnections":                      "it cuts by itself, and counts deliveries",
		"TestUnusedCreditLosesNothing":            "the same",
		"TestReceiveAndDeleteKeepsWhatHasArrived": "credit ends with its link",
	},
}

// TestBehavioursUnderFaults: they are what they are in peace.
func TestBehavioursUnderFaults(t *testing.T) {
	t.Parallel()
	for way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() { require.NotZero(t, harmDone[way].Load(), "nothing has happened") })
			for name, test := range behaviours {
				if leftOut[way][name] == "" {
					t.Run(name, test)
				}
			}
		})
	}
}

// harmDone counts the faults that have happened, by way.
var harmDone = map[string]*atomic.Int64{"delays": {}, "throttling": {}, "cuts": {}}

// runT is minibus.RunT, under the faults of the way that the test is run in, if any.
func runT(t *testing.T, change ...func(*minibus.Options)) *minibus.Instance {
	t.Helper()
	bus := minibus.RunT(t, change...)
	underFaults(t, bus.Server)
	return bus
}

// underFaults does to a broker what the way does that the test is run in, if any.
func underFaults(t *testing.T, bus *minibus.Server) {
	t.Helper()
	way := wayOf(t)
	require.NoError(t, bus.Inject(ways[way]...))
	t.Cleanup(func() {
		for _, f := range bus.Faults() {
			harmDone[way].Add(int64(f.Fired))
		}
	})
}

// wayOf is the way that a test is run in; "": in peace.
func wayOf(t *testing.T) string {
	if parts := strings.Split(t.Name(), "/"); parts[0] == "TestBehavioursUnderFaults" {
		return parts[1]
	}
	return ""
}
