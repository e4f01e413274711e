package infra_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAlertsAskForWhatTheAppLogs: a query for a line that nobody writes is no alert.
func TestAlertsAskForWhatTheAppLogs(t *testing.T) {
	t.Parallel()
	logged := ""
	for _, file := range []string{"handler/app/observe.go", "entity/taker.go", "functions/OutboxDispatcher/dispatcher.go", "functions/InboxSweeper/sweeper.go"} {
		text, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(file)))
		require.NoError(t, err)
		logged += string(text)
	}
	every(t, func(t *testing.T, d deployment) {
		byName := map[string]resource{}
		for _, r := range append(d.of("Microsoft.Insights/scheduledQueryRules"), d.of("Microsoft.Insights/metricAlerts")...) {
			byName[regexp.MustCompile(`^relaybox-[a-z0-9]+-[a-z]+-`).ReplaceAllString(r.Name, "")] = r
			require.Equal(t, true, r.get("properties.enabled"))
			require.NotEmpty(t, r.get("properties.description"))
		}
		for _, name := range []string{"oldest-pending", "no-sweep", "parked", "gap-blocked", "refused", "incarnation", "server-errors", "dead-letters", "bus-throttled", "store-throttled"} {
			require.Contains(t, byName, name)
		}
		signals := 0
		for name, r := range byName {
			criterion := r.get("properties.criteria.allOf").([]any)[0].(map[string]any)
			query, _ := criterion["query"].(string)
			for _, m := range regexp.MustCompile(`"signal":"([\w-]+)"`).FindAllStringSubmatch(query, -1) {
				signals++
				require.Contains(t, logged, `"signal", "`+m[1]+`"`, name)
			}
			for _, m := range regexp.MustCompile(`parse_json\(message\)\.(\w+)`).FindAllStringSubmatch(query, -1) {
				require.Contains(t, logged, `"`+m[1]+`"`, name)
			}
			if measure, ok := criterion["metricMeasureColumn"].(string); ok {
				require.Contains(t, query, measure)
			}
		}
		require.Equal(t, 10, signals)
	})
}

// TestAlertsOnAStateLastAsLongAsItDoes: each looks at what every sweep counts, or at a metric,
// and at nothing that is told once; its window holds several sweeps, so that one that is late or
// fails ends no alert, and it ends by itself.
func TestAlertsOnAStateLastAsLongAsItDoes(t *testing.T) {
	t.Parallel()
	states := map[string]string{"oldest-pending": "sweep", "parked": "sweep", "gap-blocked": "inbox-sweep", "dead-letters": ""}
	every(t, func(t *testing.T, d deployment) {
		found := 0
		for _, r := range append(d.of("Microsoft.Insights/scheduledQueryRules"), d.of("Microsoft.Insights/metricAlerts")...) {
			name := regexp.MustCompile(`^relaybox-[a-z0-9]+-[a-z]+-`).ReplaceAllString(r.Name, "")
			signal, state := states[name]
			if !state {
				continue
			}
			found++
			require.Equal(t, true, r.get("properties.autoMitigate"), name)
			criterion := r.get("properties.criteria.allOf").([]any)[0].(map[string]any)
			require.Equal(t, "Maximum", criterion["timeAggregation"], name)
			if signal == "" {
				continue
			}
			var looks []string
			for _, m := range regexp.MustCompile(`"signal":"([\w-]+)"`).FindAllStringSubmatch(criterion["query"].(string), -1) {
				looks = append(looks, m[1])
			}
			require.Equal(t, []string{signal}, looks, name)
			require.NotEmpty(t, criterion["metricMeasureColumn"], name)
			require.GreaterOrEqual(t, seconds(t, r.get("properties.windowSize")).Minutes(), 5.0, name)
		}
		require.Equal(t, len(states), found)
	})
}

// TestOneThreshold: the app's health is red when the alert is.
func TestOneThreshold(t *testing.T) {
	t.Parallel()
	d := with(t, map[string]any{"oldestPendingAlertSeconds": 77.0})
	require.Equal(t, "77s", settings(t, d)["RELAYBOX_HEALTH_OLDEST"])
}

// TestProbesAreNoServerErrors: a probe that tells of a state is answered with 503, and that state
// has an alert of its own.
func TestProbesAreNoServerErrors(t *testing.T) {
	t.Parallel()
	for _, r := range with(t, nil).of("Microsoft.Insights/scheduledQueryRules") {
		if strings.HasSuffix(r.Name, "server-errors") {
			query := r.get("properties.criteria.allOf").([]any)[0].(map[string]any)["query"]
			require.Contains(t, query, "name != 'Health'")
			require.NotContains(t, query, "url", "a kind may be served under a path that begins alike")
			return
		}
	}
	t.Fatal("no such alert")
}

// TestAlertsReachSomebody: with an address, every alert mails to it.
func TestAlertsReachSomebody(t *testing.T) {
	t.Parallel()
	base := map[string]any{"environmentName": "x1", "location": "here"}
	silent := deploy(t, base)
	require.Empty(t, silent.of("Microsoft.Insights/actionGroups"))
	base["alertEmail"] = "ops@example.com"
	loud := deploy(t, base)
	require.Equal(t, "ops@example.com", loud.the(t, "Microsoft.Insights/actionGroups").get("properties.emailReceivers").([]any)[0].(map[string]any)["emailAddress"])
	for _, r := range loud.of("Microsoft.Insights/metricAlerts") {
		require.Len(t, r.get("properties.actions"), 1, r.Name)
	}
	for _, r := range loud.of("Microsoft.Insights/scheduledQueryRules") {
		require.Len(t, r.get("properties.actions.actionGroups"), 1, r.Name)
	}
}

// TestLogsAreKept: what each service can say about a fault goes to the workspace.
func TestLogsAreKept(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, d deployment) {
		var of []string
		for _, r := range d.of("Microsoft.Insights/diagnosticSettings") {
			of = append(of, r.Scope[:strings.LastIndexByte(r.Scope, '/')])
			require.Contains(t, r.get("properties.workspaceId"), "outputs.workspaceId")
		}
		require.Len(t, of, 4+len(d.of(redis)))
		for _, kind := range []string{"Microsoft.Web/sites", "Microsoft.DocumentDB/databaseAccounts", "Microsoft.ServiceBus/namespaces"} {
			require.Contains(t, of, kind)
		}
	})
}
