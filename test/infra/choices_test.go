package infra_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
)

// with deploys the defaults with some parameters changed.
func with(t *testing.T, changes map[string]any) deployment {
	t.Helper()
	values := map[string]any{"environmentName": "x1", "location": "here"}
	maps.Copy(values, changes)
	return deploy(t, values)
}

// choice is a parameter's value, and what it must make of one property of one resource.
type choice struct {
	parameter string
	value     any
	kind      string
	property  string
	want      any
}

const (
	account    = "Microsoft.DocumentDB/databaseAccounts"
	namespace  = "Microsoft.ServiceBus/namespaces"
	storage    = "Microsoft.Storage/storageAccounts"
	site       = "Microsoft.Web/sites"
	redis      = "Microsoft.Cache/redisEnterprise"
	workspace  = "Microsoft.OperationalInsights/workspaces"
	scaling    = "properties.functionAppConfig.scaleAndConcurrency."
	serverless = "EnableServerless"
)

var choices = []choice{
	{"cosmosMode", "serverless", account, "properties.capabilities", []any{map[string]any{"name": serverless}}},
	{"cosmosMode", "autoscale", account, "properties.capabilities", []any{}},
	{"cosmosContinuousBackup", true, account, "properties.backupPolicy.type", "Continuous"},
	{"cosmosContinuousBackup", false, account, "properties.backupPolicy.type", "Periodic"},
	{"serviceBusTier", "Standard", namespace, "sku", map[string]any{"name": "Standard", "tier": "Standard"}},
	{"serviceBusTier", "Premium", namespace, "sku", map[string]any{"name": "Premium", "tier": "Premium", "capacity": 1.0}},
	{"duplicateDetectionWindow", "P3D", namespace + "/topics", "properties.duplicateDetectionHistoryTimeWindow", "P3D"},
	{"instanceMemoryMB", 4096.0, site, scaling + "instanceMemoryMB", 4096.0},
	{"maximumInstanceCount", 41.0, site, scaling + "maximumInstanceCount", 41.0},
	{"alwaysReadyDispatcher", false, site, scaling + "alwaysReady", []any{}},
	{"dispatchSchedule", "*/30 * * * * *", site + "/config", "properties.DISPATCH_SCHEDULE", "*/30 * * * * *"},
	{"zoneRedundant", true, storage, "sku.name", "Standard_ZRS"},
	{"zoneRedundant", false, storage, "sku.name", "Standard_LRS"},
	{"readCache", "memory", site + "/config", "properties.RELAYBOX_READ_CACHE", nil},
	{"readCache", "off", site + "/config", "properties.RELAYBOX_READ_CACHE", "off"},
	{"readCache", "redis", site + "/config", "properties.RELAYBOX_READ_CACHE", "redis"},
	{"readCache", "redis", redis, "sku.name", "Balanced_B0"},
	{"readCache", "redis", redis, "properties.highAvailability", "Disabled"},
	{"readCache", "redis", redis + "/databases", "properties.accessKeysAuthentication", "Disabled"},
	{"readCache", "redis", redis + "/databases", "properties.clusteringPolicy", "EnterpriseCluster"},
	{"logRetentionInDays", 90.0, workspace, "properties.retentionInDays", 90.0},
	{"logDailyQuotaGb", 2.0, workspace, "properties.workspaceCapping.dailyQuotaGb", 2.0},
}

// TestAChoiceArrives where it belongs, through two templates and a module.
func TestAChoiceArrives(t *testing.T) {
	t.Parallel()
	for _, c := range choices {
		require.Equal(t, c.want, with(t, map[string]any{c.parameter: c.value}).the(t, c.kind).get(c.property), "%s %v", c.parameter, c.value)
	}
	require.Equal(t, 4.0, with(t, map[string]any{"serviceBusTier": "Premium", "serviceBusMessagingUnits": 4.0}).the(t, namespace).get("sku.capacity"))
}

// TestThroughputIsPaidForOnlyWhenChosen: a serverless account refuses containers with a
// throughput, and a container without one in the other mode gets 400 RU/s for ever.
func TestThroughputIsPaidForOnlyWhenChosen(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]any{"serverless": nil, "autoscale": 6000.0} {
		d := with(t, map[string]any{"cosmosMode": mode, "cosmosMaxThroughput": 6000.0})
		for _, c := range d.of(account + "/sqlDatabases/containers") {
			require.Equal(t, want, c.get("properties.options.autoscaleSettings.maxThroughput"), mode)
		}
	}
}

// TestTheDefaultsAreTheCheapOnes: nobody pays for Premium, a throughput or a warm instance
// without having asked for it.
func TestTheDefaultsAreTheCheapOnes(t *testing.T) {
	t.Parallel()
	d := deploy(t, file(t, "dev.bicepparam"))
	require.Equal(t, "Standard", d.the(t, namespace).get("sku.name"))
	require.Equal(t, []any{map[string]any{"name": serverless}}, d.the(t, account).get("properties.capabilities"))
	require.Empty(t, d.the(t, site).get(scaling+"alwaysReady"))
	require.Equal(t, 512.0, d.the(t, site).get(scaling+"instanceMemoryMB"))
	require.Empty(t, d.of("Microsoft.Network/virtualNetworks"))
	require.Empty(t, d.of(redis))
}

// TestTheAppMayUseTheSharedCache: its identity, and where it finds what it signs in to.
func TestTheAppMayUseTheSharedCache(t *testing.T) {
	t.Parallel()
	d := with(t, map[string]any{"readCache": "redis", "zoneRedundant": true, "redisSku": "Balanced_B5"})
	require.Equal(t, "Balanced_B5", d.the(t, redis).get("sku.name"))
	require.Equal(t, "Enabled", d.the(t, redis).get("properties.highAvailability"))
	given := d.the(t, redis+"/databases/accessPolicyAssignments")
	require.Equal(t, "default", given.get("properties.accessPolicyName"))
	require.Contains(t, given.get("properties.user.objectId"), "outputs.principalId")
	require.Regexp(t, "^[A-Za-z0-9/-]+$", given.Name)
	settings := d.the(t, site+"/config")
	require.Contains(t, settings.get("properties.REDIS_CONNECTION__redisHostName"), "outputs.host")
	require.Equal(t, "managedidentity", settings.get("properties.REDIS_CONNECTION__credential"))
	require.Contains(t, settings.get("properties.REDIS_CONNECTION__clientId"), "outputs.clientId")
	require.Nil(t, with(t, nil).the(t, site+"/config").get("properties.REDIS_CONNECTION__redisHostName"))
}

// TestOneRegionWrites: with two, two writers could give one number to two events.
func TestOneRegionWrites(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, d deployment) {
		require.Len(t, d.the(t, account).get("properties.locations"), 1)
		require.Equal(t, d.the(t, account).get("location"), d.the(t, account).get("properties.locations").([]any)[0].(map[string]any)["locationName"])
	})
}
