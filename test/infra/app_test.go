package infra_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/config"
)

// settings are the application settings that a deployment makes.
func settings(t *testing.T, d deployment) map[string]any {
	t.Helper()
	for _, r := range d.of("Microsoft.Web/sites/config") {
		if strings.HasSuffix(r.Name, "/appsettings") {
			return r.get("properties").(map[string]any)
		}
	}
	t.Fatal("there are no application settings")
	return nil
}

// hostReads are the settings that the Functions host itself takes.
var hostReads = []string{
	"AzureWebJobsStorage__accountName", "AzureWebJobsStorage__credential", "AzureWebJobsStorage__clientId",
	"APPLICATIONINSIGHTS_CONNECTION_STRING", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}

// forbidden must not be set on Flex Consumption: the platform refuses them or goes by
// something else.
var forbidden = []string{
	"FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_WORKER_RUNTIME_VERSION", "FUNCTIONS_EXTENSION_VERSION", "WEBSITE_RUN_FROM_PACKAGE", "WEBSITE_CONTENTSHARE",
	"WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", "WEBSITE_CONTENTOVERVNET", "SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD", "FUNCTIONS_WORKER_PROCESS_COUNT",
	"FUNCTIONS_MAX_HTTP_CONCURRENCY", "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT", "WEBSITE_VNET_ROUTE_ALL", "WEBSITE_TIME_ZONE", "TZ",
}

// TestSettingsAreTheAppsOwn: one list of names, that of the handler and of function.json.
func TestSettingsAreTheAppsOwn(t *testing.T) {
	t.Parallel()
	named, connections := wanted(t)
	every(t, func(t *testing.T, d deployment) {
		got := settings(t, d)
		known := slices.Concat(config.Names(), hostReads, slices.Collect(maps.Keys(named)), offSettings(t))
		for name, value := range got {
			require.NotContains(t, forbidden, name)
			ours := slices.ContainsFunc(known, func(k string) bool { return k == name })
			require.True(t, ours, "%s is read by nobody", name)
			require.NotEmpty(t, value, name)
		}
		for name := range named {
			require.Contains(t, got, name, "a function.json needs it")
		}
		for name := range connections {
			found := slices.ContainsFunc(slices.Collect(maps.Keys(got)), func(k string) bool { return strings.HasPrefix(k, name+"__") })
			require.True(t, found, "a function.json needs the connection %s", name)
			require.NotContains(t, got, name, "a connection string where an identity belongs")
			require.Equal(t, "managedidentity", got[name+"__credential"])
			require.Contains(t, got[name+"__clientId"], "outputs.clientId")
		}
		for name, value := range example(t) {
			if _, ok := got[name]; ok && name != "DISPATCH_SCHEDULE" && name != "COSMOS_KIND_CONTAINERS" {
				require.Equal(t, value, got[name], "%s is not what it is locally", name)
			}
		}
		require.Equal(t, example(t)["DISPATCH_SCHEDULE"], got["DISPATCH_SCHEDULE"])
	})
}

// offSettings turn functions off.
func offSettings(t *testing.T) []string {
	t.Helper()
	all, err := functions.Triggers()
	require.NoError(t, err)
	var names []string
	for function := range all {
		names = append(names, "AzureWebJobs_"+function+"_Disabled")
	}
	return names
}

// TestASecondConsumerIsAChoice: it is off where nobody has asked for it, in a form that host and
// handler understand, and nothing is made for it; else it has what its function.json says.
func TestASecondConsumerIsAChoice(t *testing.T) {
	t.Parallel()
	const rules = namespace + "/topics/subscriptions/rules"
	all, err := functions.Consumers()
	require.NoError(t, err)
	for _, on := range []bool{false, true} {
		d := with(t, map[string]any{"mailingList": on})
		c, err := config.Load(live(t, d))
		require.NoError(t, err)
		var subscriptions []string
		for _, s := range d.of(namespace + "/topics/subscriptions") {
			subscriptions = append(subscriptions, s.Name[strings.LastIndexByte(s.Name, '/')+1:])
		}
		if !on {
			require.True(t, c.Off("MailingList"))
			require.Len(t, subscriptions, 1)
			require.Empty(t, d.of(rules))
			continue
		}
		require.False(t, c.Off("MailingList"))
		require.Len(t, d.of(rules), len(all))
		for i, consumer := range all {
			name := c.Subscription(consumer.Subscription)
			require.Contains(t, subscriptions, name)
			rule := d.of(rules)[i]
			require.True(t, strings.HasSuffix(rule.Name, "/"+name+"/$Default"), "in the place of the rule that takes everything: %s", rule.Name)
			require.Equal(t, strings.ReplaceAll(consumer.Rule(), "%"+consumer.Subscription+"%", name), rule.get("properties.sqlFilter.sqlExpression"))
		}
	}
}

// TestKindsHaveContainersOfTheirOwn: the setting names what is made, in the form that the
// handler reads.
func TestKindsHaveContainersOfTheirOwn(t *testing.T) {
	t.Parallel()
	require.NotContains(t, settings(t, with(t, nil)), "COSMOS_KIND_CONTAINERS")
	got := settings(t, with(t, map[string]any{"kindContainers": map[string]any{
		"invoice": map[string]any{"outbox": "invoices", "inbox": "invoice-views"},
		"credit":  map[string]any{"outbox": "credits", "inbox": "views"},
	}}))
	require.Equal(t, "credit=credits/views,invoice=invoices/invoice-views", got["COSMOS_KIND_CONTAINERS"])
}

// TestTheHandlerTakesTheSettings: the values are types of a deployment, so only the rules
// between settings are looked at.
func TestTheHandlerTakesTheSettings(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, d deployment) {
		environment := map[string]string{}
		for name, value := range settings(t, d) {
			environment[name], _ = value.(string)
		}
		environment["COSMOS_CONNECTION__accountEndpoint"] = "https://a.documents.azure.com:443/"
		environment["SERVICEBUS_CONNECTION__fullyQualifiedNamespace"] = "ns.servicebus.windows.net"
		if _, shared := environment["REDIS_CONNECTION__redisHostName"]; shared {
			environment["REDIS_CONNECTION__redisHostName"] = "r.region.redis.azure.net:10000"
		}
		_, err := config.Load(environment)
		require.NoError(t, err)
	})
}

// wanted are the settings and the connections that the function.json files refer to.
func wanted(t *testing.T) (names, connections map[string]bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), "functions", "*", "function.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	names, connections = map[string]bool{}, map[string]bool{"COSMOS_CONNECTION": true}
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`%([A-Za-z0-9_]+)%`).FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		var def struct{ Bindings []struct{ Connection string } }
		require.NoError(t, json.Unmarshal(text, &def))
		for _, b := range def.Bindings {
			if b.Connection != "" {
				connections[b.Connection] = true
			}
		}
	}
	return names, connections
}

func TestHosting(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, d deployment) {
		plan, app := d.the(t, "Microsoft.Web/serverfarms"), d.the(t, "Microsoft.Web/sites")
		require.Equal(t, map[string]any{"name": "FC1", "tier": "FlexConsumption"}, plan.get("sku"))
		require.Equal(t, true, plan.get("properties.reserved"))
		require.Equal(t, map[string]any{"name": "custom", "version": "1.0"}, app.get("properties.functionAppConfig.runtime"))
		require.Equal(t, "functionapp,linux", app.get("kind"))
		require.Equal(t, "app", app.get("tags.azd-service-name"), "azd deploys to the app of that name")
		require.NotEmpty(t, d.the(t, "Microsoft.Resources/resourceGroups").get("tags.azd-env-name"))
		container := d.the(t, "Microsoft.Storage/storageAccounts/blobServices/containers")
		require.Equal(t, "None", container.get("properties.publicAccess"))
		// The output's URL ends in the container, which the storage module's output says.
		require.Contains(t, app.get("properties.functionAppConfig.deployment.storage.value"), "outputs.deploymentUrl")
	})
	warm := deploy(t, file(t, "prod.bicepparam")).the(t, "Microsoft.Web/sites").get("properties.functionAppConfig.scaleAndConcurrency.alwaysReady")
	require.Equal(t, []any{map[string]any{"name": "function:OutboxDispatcher", "instanceCount": 1.0}}, warm)
}

func TestEveryParameterIsExplained(t *testing.T) {
	t.Parallel()
	main, text := compile(t)
	for name, p := range main.Parameters {
		require.NotEmpty(t, p.Metadata.Description, name)
	}
	for name, o := range main.Outputs {
		require.NotEmpty(t, o.Metadata.Description, name)
	}
	require.NotEmpty(t, text)
	// The group's template can be deployed alone, with the same parameters.
	var alone template
	require.NoError(t, json.Unmarshal(run(t, "build", "resources.bicep", "--stdout"), &alone))
	for name := range main.Parameters {
		if name != "resourceGroupName" {
			require.Contains(t, alone.Parameters, name)
			require.Equal(t, main.Parameters[name].Metadata.Description, alone.Parameters[name].Metadata.Description, name)
		}
		if name != "resourceGroupName" && name != "location" {
			require.Equal(t, main.Parameters[name].DefaultValue, alone.Parameters[name].DefaultValue, name)
		}
	}
}

// TestExtraSettingsGoOverAll: what is set by hand is gone with the next deployment, so
// there is a place for it.
func TestExtraSettingsGoOverAll(t *testing.T) {
	t.Parallel()
	got := settings(t, deploy(t, map[string]any{"environmentName": "X1", "location": "here", "extraSettings": map[string]any{
		"RELAYBOX_EARLY_WAIT": "10m", "COSMOS_CONNECTION__accountEndpoint": "https://restored.documents.azure.com/",
	}}))
	require.Equal(t, "10m", got["RELAYBOX_EARLY_WAIT"])
	require.Equal(t, "https://restored.documents.azure.com/", got["COSMOS_CONNECTION__accountEndpoint"])
	require.Equal(t, "relaybox", got["COSMOS_DATABASE"])
}
