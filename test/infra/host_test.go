package infra_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheHostSignsInWithTheIdentity: the host reads its storage before any code of ours
// runs, and says little when it may not.
func TestTheHostSignsInWithTheIdentity(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, d deployment) {
		got := settings(t, d)
		require.Contains(t, got["AzureWebJobsStorage__accountName"], "/storage).outputs.name")
		require.Equal(t, "managedidentity", got["AzureWebJobsStorage__credential"])
		// Without it the platform looks for a system-assigned identity, and there is none.
		require.Contains(t, got["AzureWebJobsStorage__clientId"], "/identity).outputs.clientId")
		require.Contains(t, got["APPLICATIONINSIGHTS_CONNECTION_STRING"], "/monitoring).outputs.connectionString")
		require.Regexp(t, `^ClientId=reference\(\S+/identity\)\.outputs\.clientId\.value;Authorization=AAD$`, got["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"])
		require.Contains(t, got["COSMOS_CONNECTION__accountEndpoint"], "/cosmos).outputs.endpoint")
		require.Contains(t, got["SERVICEBUS_CONNECTION__fullyQualifiedNamespace"], "/servicebus).outputs.host")

		app := d.the(t, site)
		require.Contains(t, app.get("properties.functionAppConfig.deployment.storage.authentication.userAssignedIdentityResourceId"), "/identity).outputs.id")
		identities := app.get("identity.userAssignedIdentities").(map[string]any)
		require.Len(t, identities, 1)
		for id := range identities {
			require.Contains(t, id, "/identity).outputs.id")
		}
	})
}
