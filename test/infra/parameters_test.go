package infra_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// declared is a parameter or an output as a template declares it.
type declared struct {
	Type               string
	AllowedValues      []any
	MinValue, MaxValue *float64
	DefaultValue       any
	Metadata           struct{ Description string }
}

// module is a template with the modules in it.
type module struct {
	name                string
	Parameters, Outputs map[string]declared
	Metadata            struct{ Description string }
	Resources           []struct {
		Type, Name string
		Properties json.RawMessage
	}
}

// modules are the template that text is and every one below it, main first.
func modules(t *testing.T, name string, text []byte) []module {
	t.Helper()
	m := module{name: name}
	require.NoError(t, json.Unmarshal(text, &m))
	all := []module{m}
	for _, r := range m.Resources {
		if r.Type != "Microsoft.Resources/deployments" {
			continue
		}
		var nested struct{ Template json.RawMessage }
		require.NoError(t, json.Unmarshal(r.Properties, &nested))
		all = append(all, modules(t, name+"/"+r.Name, nested.Template)...)
	}
	return all
}

func everyModule(t *testing.T) []module {
	t.Helper()
	_, text := compile(t)
	return modules(t, "main", text)
}

// TestEveryModuleIsExplained: who deploys reads the descriptions in the portal, in azd and
// in what-if, and nowhere else.
func TestEveryModuleIsExplained(t *testing.T) {
	t.Parallel()
	all := everyModule(t)
	require.GreaterOrEqual(t, len(all), 10)
	for _, m := range all {
		require.NotEmpty(t, m.Metadata.Description, m.name)
		for p, d := range m.Parameters {
			require.NotEmpty(t, d.Metadata.Description, "%s, parameter %s", m.name, p)
		}
		for o, d := range m.Outputs {
			require.NotEmpty(t, d.Metadata.Description, "%s, output %s", m.name, o)
		}
	}
}

// bounds are what a template must refuse before Azure does, half-way through a deployment.
var bounds = map[string]declared{
	"readCache":                 {AllowedValues: []any{"off", "memory", "redis"}},
	"cosmosMode":                {AllowedValues: []any{"serverless", "autoscale"}},
	"cosmosMaxThroughput":       {MinValue: at(1000), MaxValue: at(1_000_000)},
	"serviceBusTier":            {AllowedValues: []any{"Standard", "Premium"}},
	"serviceBusMessagingUnits":  {AllowedValues: []any{1.0, 2.0, 4.0, 8.0, 16.0}},
	"instanceMemoryMB":          {AllowedValues: []any{512.0, 2048.0, 4096.0}},
	"maximumInstanceCount":      {MinValue: at(40), MaxValue: at(1000)},
	"oldestPendingAlertSeconds": {MinValue: at(60)},
	"logRetentionInDays":        {MinValue: at(30), MaxValue: at(730)},
	"logDailyQuotaGb":           {MinValue: at(-1)},
}

func at(v float64) *float64 { return &v }

func TestBadValuesAreRefusedEarly(t *testing.T) {
	t.Parallel()
	all := everyModule(t)
	for _, m := range all[:2] { // the group's template can be deployed alone
		for name, want := range bounds {
			got := m.Parameters[name]
			require.Equal(t, want.AllowedValues, got.AllowedValues, "%s, %s", m.name, name)
			require.Equal(t, want.MinValue, got.MinValue, "%s, %s", m.name, name)
			require.Equal(t, want.MaxValue, got.MaxValue, "%s, %s", m.name, name)
		}
	}
}

// TestOnlyTheEnvironmentIsAskedFor: everything else has a default, so that azd up asks for
// a name and a region only.
func TestOnlyTheEnvironmentIsAskedFor(t *testing.T) {
	t.Parallel()
	var asked []string
	for name, p := range everyModule(t)[0].Parameters {
		if p.DefaultValue == nil {
			asked = append(asked, name)
		}
	}
	require.ElementsMatch(t, []string{"environmentName", "location"}, asked)
}
