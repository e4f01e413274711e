package infra_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// watched are the platform's metrics that an alert looks at: of which module's resource,
// how they are summed up, and for which dimension.
var watched = map[string]struct{ of, aggregation, dimension string }{
	"DeadletteredMessages": {"servicebus", "Maximum", "EntityName=entity-events"},
	"ThrottledRequests":    {"servicebus", "Total", ""},
	"TotalRequests":        {"cosmos", "Count", "StatusCode=429"},
}

// TestMetricAlertsWatchWhatThereIs: Azure takes a metric alert on any resource, and one
// whose metric the resource does not have never fires.
func TestMetricAlertsWatchWhatThereIs(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, d deployment) {
		seen := map[string]bool{}
		for _, r := range d.of("Microsoft.Insights/metricAlerts") {
			c := resource{all: r.get("properties.criteria.allOf").([]any)[0].(map[string]any)}
			metric := c.get("metricName").(string)
			require.Contains(t, watched, metric)
			w := watched[metric]
			require.Contains(t, r.get("properties.scopes").([]any)[0], "/"+w.of+").outputs.id", metric)
			require.Equal(t, w.aggregation, c.get("timeAggregation"), metric)
			dimension := ""
			for _, v := range c.get("dimensions").([]any) {
				one := resource{all: v.(map[string]any)}
				dimension = one.get("name").(string) + "=" + one.get("values").([]any)[0].(string)
			}
			require.Equal(t, w.dimension, dimension, metric)
			seen[metric] = true
		}
		require.Len(t, seen, len(watched))
	})
}

// TestLogAlertsLookWhereTheAppWrites, and over more than one run of the sweep.
func TestLogAlertsLookWhereTheAppWrites(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, d deployment) {
		for _, r := range d.of("Microsoft.Insights/scheduledQueryRules") {
			require.Contains(t, r.get("properties.scopes").([]any)[0], "/monitoring).outputs.componentId", r.Name)
			window := seconds(t, r.get("properties.windowSize"))
			require.GreaterOrEqual(t, window, seconds(t, r.get("properties.evaluationFrequency")), "%s: what happens between two looks is missed", r.Name)
			if strings.Contains(r.get("properties.criteria.allOf").([]any)[0].(map[string]any)["query"].(string), `"sweep"`) {
				require.GreaterOrEqual(t, window.Minutes(), 5.0, "%s: the sweep runs once a minute", r.Name)
			}
		}
	})
}
