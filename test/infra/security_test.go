package infra_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdentityOnly(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, d deployment) {
		store, bus, storage := d.the(t, "Microsoft.DocumentDB/databaseAccounts"), d.the(t, "Microsoft.ServiceBus/namespaces"), d.the(t, "Microsoft.Storage/storageAccounts")
		require.Equal(t, true, store.get("properties.disableLocalAuth"))
		require.Equal(t, "Tls12", store.get("properties.minimalTlsVersion"))
		require.Equal(t, true, bus.get("properties.disableLocalAuth"))
		require.Equal(t, "1.2", bus.get("properties.minimumTlsVersion"))
		require.Equal(t, false, storage.get("properties.allowSharedKeyAccess"))
		require.Equal(t, false, storage.get("properties.allowBlobPublicAccess"))
		require.Equal(t, true, storage.get("properties.supportsHttpsTrafficOnly"))
		require.Equal(t, "TLS1_2", storage.get("properties.minimumTlsVersion"))
		require.Equal(t, true, d.the(t, "Microsoft.Insights/components").get("properties.DisableLocalAuth"))
		require.Equal(t, true, d.the(t, "Microsoft.OperationalInsights/workspaces").get("properties.features.disableLocalAuth"))
		app := d.the(t, "Microsoft.Web/sites")
		require.Equal(t, true, app.get("properties.httpsOnly"))
		require.Equal(t, "1.2", app.get("properties.siteConfig.minTlsVersion"))
		require.Equal(t, "UserAssigned", app.get("identity.type"))
		require.Equal(t, "UserAssignedIdentity", app.get("properties.functionAppConfig.deployment.storage.authentication.type"))
		policies := d.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
		require.Len(t, policies, 2)
		for _, p := range policies {
			require.Equal(t, false, p.get("properties.allow"))
		}
	})
}

// TestNoSecretLeavesATemplate: no key is read, so none can be in a setting or an output.
func TestNoSecretLeavesATemplate(t *testing.T) {
	t.Parallel()
	main, text := compile(t)
	for _, function := range []string{"listKeys", "listAccountSas", "listServiceSas", "listConnectionStrings", "listSecrets"} {
		require.NotContains(t, strings.ToLower(string(text)), strings.ToLower(function)+"(")
	}
	require.NotContains(t, strings.ToLower(string(text)), "securestring", "nothing here is secret")
	for name := range main.Outputs {
		require.NotRegexp(t, `(?i)key|secret|connection|password|token`, name)
	}
	every(t, func(t *testing.T, d deployment) {
		for name, value := range settings(t, d) {
			secret, _ := value.(string)
			require.NotRegexp(t, `(?i)AccountKey=|SharedAccessKey|SharedAccessSignature|DefaultEndpointsProtocol`, secret, name)
		}
	})
}

// grant is one role: what it is and where it holds.
type grant struct{ role, scope string }

// roles by their GUIDs, as Azure publishes them.
const (
	blobDataOwner        = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
	tableDataContributor = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"
	metricsPublisher     = "3913510d-42f4-4e42-8a64-420c390055eb"
	busSender            = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"
	busReceiver          = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0"
	busOwner             = "090c5cfd-751d-490a-894a-3ce6f1109419"
	cosmosContributor    = "00000000-0000-0000-0000-000000000002"
)

// TestRolesAreTheNarrowestThatWork: the list is exact, and no role holds for the group.
func TestRolesAreTheNarrowestThatWork(t *testing.T) {
	t.Parallel()
	kindOf := regexp.MustCompile(`^(Microsoft\.[A-Za-z]+(?:/[a-zA-Z]+)+?)/[a-z-]+-relaybox-|^(Microsoft\.Storage/storageAccounts)/strelaybox`)
	check := func(receives string, subscriptions int) func(*testing.T, deployment) {
		return func(t *testing.T, d deployment) {
			var got []grant
			for _, r := range d.of("Microsoft.Authorization/roleAssignments") {
				id := r.get("properties.roleDefinitionId").(string)
				found := kindOf.FindStringSubmatch(r.Scope)
				require.NotNil(t, found, "the scope %q is no single resource", r.Scope)
				got = append(got, grant{id[strings.LastIndexByte(id, '/')+1:], found[1] + found[2]})
				require.Equal(t, "ServicePrincipal", r.get("properties.principalType"))
				require.Contains(t, r.get("properties.principalId"), "outputs.principalId", "the app's identity gets the role")
			}
			slices.SortFunc(got, func(a, b grant) int { return strings.Compare(a.role, b.role) })
			want := []grant{
				{tableDataContributor, "Microsoft.Storage/storageAccounts"},
				{metricsPublisher, "Microsoft.Insights/components"},
				{busSender, "Microsoft.ServiceBus/namespaces/topics"},
				{blobDataOwner, "Microsoft.Storage/storageAccounts"},
			}
			for range subscriptions {
				want = append(want, grant{receives, "Microsoft.ServiceBus/namespaces/topics/subscriptions"})
			}
			slices.SortFunc(want, func(a, b grant) int { return strings.Compare(a.role, b.role) })
			require.Equal(t, want, got)

			data := d.the(t, "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments")
			require.Contains(t, data.get("properties.roleDefinitionId"), "/sqlRoleDefinitions/"+cosmosContributor)
			require.Regexp(t, `/dbs/relaybox$`, data.get("properties.scope"))
		}
	}
	check(busReceiver, 1)(t, deploy(t, file(t, "prod.bicepparam")))
	check(busOwner, 1)(t, deploy(t, map[string]any{"environmentName": "x1", "location": "here", "exactScaling": true}))
	check(busReceiver, 2)(t, deploy(t, map[string]any{"environmentName": "x1", "location": "here", "mailingList": true}))
}

func TestPrivateNetworkClosesTheDoors(t *testing.T) {
	t.Parallel()
	public := func(t *testing.T, d deployment) map[string]any {
		return map[string]any{
			"store":   d.the(t, "Microsoft.DocumentDB/databaseAccounts").get("properties.publicNetworkAccess"),
			"storage": d.the(t, "Microsoft.Storage/storageAccounts").get("properties.publicNetworkAccess"),
			"bus":     d.the(t, "Microsoft.ServiceBus/namespaces").get("properties.publicNetworkAccess"),
		}
	}
	private := deploy(t, file(t, "prod.bicepparam"))
	require.Equal(t, map[string]any{"store": "Disabled", "storage": "Disabled", "bus": "Disabled"}, public(t, private))
	require.Len(t, private.of("Microsoft.Network/privateEndpoints"), 4)
	require.Len(t, private.of("Microsoft.Network/privateDnsZones"), 4)
	require.Contains(t, private.the(t, "Microsoft.Web/sites").get("properties.virtualNetworkSubnetId"), "appSubnetId")
	network, err := json.Marshal(private.the(t, "Microsoft.Network/virtualNetworks").all)
	require.NoError(t, err)
	require.Contains(t, string(network), "Microsoft.App/environments")

	// Standard namespaces have no private endpoints: closing one would cut the app off.
	standard := deploy(t, map[string]any{"environmentName": "x1", "location": "here", "privateNetwork": true})
	require.Equal(t, map[string]any{"store": "Disabled", "storage": "Disabled", "bus": "Enabled"}, public(t, standard))
	require.Len(t, standard.of("Microsoft.Network/privateEndpoints"), 3)

	open := deploy(t, file(t, "dev.bicepparam"))
	require.Equal(t, map[string]any{"store": "Enabled", "storage": "Enabled", "bus": "Enabled"}, public(t, open))
	require.Empty(t, open.of("Microsoft.Network/privateEndpoints"))
	require.Nil(t, open.the(t, "Microsoft.Web/sites").get("properties.virtualNetworkSubnetId"))
}
