package infra_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// zones are where the names of a service's private endpoints are looked up, by the part of
// the service that an endpoint leads to.
var zones = map[string]string{
	"blob":      "privatelink.blob.core.windows.net",
	"table":     "privatelink.table.core.windows.net",
	"Sql":       "privatelink.documents.azure.com",
	"namespace": "privatelink.servicebus.windows.net",

	"redisEnterprise": "privatelink.redis.azure.net",
}

// owners are the modules that make what an endpoint leads to.
var owners = map[string]string{"blob": "storage", "table": "storage", "Sql": "cosmos", "namespace": "servicebus", "redisEnterprise": "redis"}

// TestEveryEndpointIsFoundByName: an endpoint without the right zone, linked to the app's
// network, is passed by: the name leads to the public address, which is closed.
func TestEveryEndpointIsFoundByName(t *testing.T) {
	t.Parallel()
	values := maps.Clone(file(t, "prod.bicepparam"))
	values["readCache"] = "redis"
	d := deploy(t, values)
	require.Len(t, d.of("Microsoft.Network/privateEndpoints"), len(zones))
	groups := map[string]string{} // zone of each endpoint, by the endpoint's name
	for _, g := range d.of("Microsoft.Network/privateEndpoints/privateDnsZoneGroups") {
		endpoint, _, _ := strings.Cut(g.Name, "/")
		groups[endpoint] = fmt.Sprint(g.get("properties.privateDnsZoneConfigs"))
	}
	linked := map[string]bool{}
	for _, l := range d.of("Microsoft.Network/privateDnsZones/virtualNetworkLinks") {
		zone, _, _ := strings.Cut(l.Name, "/")
		require.Contains(t, l.get("properties.virtualNetwork.id"), "/network).outputs.id", "linked to the app's network")
		require.Equal(t, "global", l.get("location"))
		linked[zone] = true
	}
	for _, e := range d.of("Microsoft.Network/privateEndpoints") {
		connection := e.get("properties.privateLinkServiceConnections").([]any)[0].(map[string]any)["properties"].(map[string]any)
		part := connection["groupIds"].([]any)[0].(string)
		require.Contains(t, zones, part)
		require.Contains(t, connection["privateLinkServiceId"], "/"+owners[part]+").outputs.id", e.Name)
		require.Contains(t, e.get("properties.subnet.id"), "outputs.endpointSubnetId", "the app's subnet is delegated: no endpoint fits in")
		require.Contains(t, groups[e.Name], zones[part])
		require.True(t, linked[zones[part]], zones[part])
	}
}

// TestTheNetworkHoldsAppAndEndpoints, each in a subnet of its own.
func TestTheNetworkHoldsAppAndEndpoints(t *testing.T) {
	t.Parallel()
	subnets := deploy(t, file(t, "prod.bicepparam")).the(t, "Microsoft.Network/virtualNetworks").get("properties.subnets").([]any)
	require.Len(t, subnets, 2)
	ranges := map[any]bool{}
	for _, s := range subnets {
		subnet := resource{all: s.(map[string]any)}
		ranges[subnet.get("properties.addressPrefix")] = true
		delegations, _ := subnet.get("properties.delegations").([]any)
		if subnet.get("name") == "app" {
			require.Equal(t, "Microsoft.App/environments", resource{all: delegations[0].(map[string]any)}.get("properties.serviceName"))
		} else {
			require.Empty(t, delegations)
		}
	}
	require.Len(t, ranges, 2)
}

// TestTheFirewallFollows: a storage account whose public access is off keeps its rules for
// the day when somebody switches it on again.
func TestTheFirewallFollows(t *testing.T) {
	t.Parallel()
	for private, want := range map[bool]string{true: "Deny", false: "Allow"} {
		require.Equal(t, want, with(t, map[string]any{"privateNetwork": private}).the(t, storage).get("properties.networkAcls.defaultAction"))
	}
}
