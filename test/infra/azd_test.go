package infra_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAzdsAnswersArrive: azd asks for a name and a region, and leaves them in the
// environment.
func TestAzdsAnswersArrive(t *testing.T) {
	t.Parallel()
	d := predict(t, "main.bicepparam", "", "AZURE_ENV_NAME=trial-7", "AZURE_LOCATION=swedencentral", "RELAYBOX_ALERT_EMAIL=ops@example.com")
	group := d.the(t, "Microsoft.Resources/resourceGroups")
	require.Equal(t, "trial-7", group.get("tags.azd-env-name"))
	require.Equal(t, "rg-relaybox-trial-7", group.Name)
	for _, r := range d {
		if where := r.get("location"); where != nil && where != "global" {
			require.Equal(t, "swedencentral", where, r.Type)
		}
	}
	mail := d.the(t, "Microsoft.Insights/actionGroups").get("properties.emailReceivers").([]any)[0].(map[string]any)
	require.Equal(t, "ops@example.com", mail["emailAddress"])
}

// names are what the services accept; a wrong one is refused in the middle of a deployment.
var names = map[string]string{
	storage:                         `^[a-z0-9]{3,24}$`,
	account:                         `^[a-z0-9][a-z0-9-]{2,43}$`,
	namespace:                       `^[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$`,
	site:                            `^[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]$`,
	"Microsoft.Web/serverfarms":     `^[A-Za-z0-9-]{1,60}$`,
	workspace:                       `^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$`,
	"Microsoft.Insights/components": `^[A-Za-z0-9_.()-]{1,259}[A-Za-z0-9_()-]$`,
	"Microsoft.ManagedIdentity/userAssignedIdentities": `^[A-Za-z0-9][A-Za-z0-9_-]{2,127}$`,
}

// TestNamesFitTheServices with the longest name that an environment may have.
func TestNamesFitTheServices(t *testing.T) {
	t.Parallel()
	d := predict(t, "long.bicepparam", "using 'main.bicep'\nparam environmentName = 'twenty-characters-20'\nparam location = 'westeurope'\n")
	for kind, pattern := range names {
		require.Regexp(t, regexp.MustCompile(pattern), d.the(t, kind).Name, kind)
	}
}
