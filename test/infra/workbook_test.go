package infra_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// part is an item of the workbook: a text, a query over logs, or metrics.
type part struct {
	Name    string
	Content struct {
		Query                   string
		CrossComponentResources []string
		ResourceIDs             []string `json:"resourceIds"`
		Metrics                 []struct{ Metric string }
		Filters                 []struct {
			Key    string
			Values []string
		}
	}
}

// board reads the workbook that a deployment makes.
func board(t *testing.T, d deployment) []part {
	t.Helper()
	text, ok := d.the(t, "Microsoft.Insights/workbooks").get("properties.serializedData").(string)
	require.True(t, ok)
	var content struct {
		Version             string
		Items               []part
		FallbackResourceIDs []string `json:"fallbackResourceIds"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &content))
	require.Equal(t, "Notebook/1.0", content.Version)
	require.Contains(t, content.FallbackResourceIDs[0], "outputs.componentId")
	for _, placeholder := range []string{"$component", "$namespace", "$topic"} {
		require.NotContains(t, text, placeholder)
	}
	return content.Items
}

// writers are the sources of the lines that have a signal.
var writers = map[string]string{
	"sweep": "functions/OutboxDispatcher/dispatcher.go", "inbox-sweep": "functions/InboxSweeper/sweeper.go",
	"parked": "handler/app/observe.go", "refused": "entity/taker.go",
}

// TestTheWorkbookAsksForWhatTheAppLogs: each field of each query is one that the line of its
// signal has.
func TestTheWorkbookAsksForWhatTheAppLogs(t *testing.T) {
	t.Parallel()
	fields := 0
	for _, p := range board(t, with(t, nil)) {
		query := p.Content.Query
		if query == "" {
			continue
		}
		require.Contains(t, p.Content.CrossComponentResources[0], "outputs.componentId", p.Name)
		require.Regexp(t, `^(traces|requests) \|`, query, p.Name)
		var lines []string
		for _, m := range regexp.MustCompile(`"signal":"([\w-]+)"`).FindAllStringSubmatch(query, -1) {
			require.Contains(t, writers, m[1], p.Name)
			text, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(writers[m[1]])))
			require.NoError(t, err)
			require.Contains(t, string(text), `"signal", "`+m[1]+`"`, p.Name)
			lines = append(lines, string(text))
		}
		for _, m := range regexp.MustCompile(`\bs\.(\w+)`).FindAllStringSubmatch(query, -1) {
			fields++
			if m[1] == "signal" {
				continue // which every line has that is asked for
			}
			require.NotEmpty(t, lines, "%s asks for %s of no signal", p.Name, m[1])
			for _, line := range lines {
				require.Contains(t, line, `"`+m[1]+`"`, p.Name)
			}
		}
	}
	require.Equal(t, 10, fields)
}

// TestTheWorkbookShowsWhatTheAlertsWatch of the broker, under its own topic.
func TestTheWorkbookShowsWhatTheAlertsWatch(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, d deployment) {
		shown := map[string]bool{}
		for _, p := range board(t, d) {
			shown[p.Name] = true
			for _, m := range p.Content.Metrics {
				shown[m.Metric[strings.LastIndex(m.Metric, "-")+1:]] = true
				require.Contains(t, p.Content.ResourceIDs[0], "/servicebus).outputs.id")
				require.Equal(t, "EntityName", p.Content.Filters[0].Key)
				require.Equal(t, []string{example(t)["EVENTS_TOPIC"]}, p.Content.Filters[0].Values)
			}
		}
		for _, name := range []string{"oldest", "parked", "keys", "early", "refusals", "requests", "DeadletteredMessages", "ActiveMessages"} {
			require.Contains(t, shown, name)
		}
	})
}
