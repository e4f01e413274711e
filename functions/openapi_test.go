package functions_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/test/contract"
)

// TestEveryHTTPFunctionIsDescribed by the app itself, method by method.
func TestEveryHTTPFunctionIsDescribed(t *testing.T) {
	t.Parallel()
	h, _, _, _ := app(t)
	w := call(t, h, "GET", "/api/openapi.json", "")
	require.Equal(t, 200, w.Code)
	var document struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &document))
	got := map[string]string{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			got[operation.OperationID] = method + " " + path
		}
	}
	for operation, address := range map[string]string{
		"getProfile": "get /profiles/{id}", "headProfile": "head /profiles/{id}", "putProfile": "put /profiles/{id}",
		"patchProfile": "patch /profiles/{id}", "deleteProfile": "delete /profiles/{id}",
		"getOrder": "get /orders/{id}", "headOrder": "head /orders/{id}", "putOrder": "put /orders/{id}",
		"patchOrder": "patch /orders/{id}", "deleteOrder": "delete /orders/{id}",
		"shipOrder": "post /orders/{id}/ship", "cancelOrder": "post /orders/{id}/cancel",
		"getHealth": "get /health", "headHealth": "head /health", "getLiveness": "get /health/live", "getReadiness": "get /health/ready",
		"getDescription": "get /openapi.json", "headDescription": "head /openapi.json",
	} {
		require.Equal(t, address, got[operation], operation)
	}
	triggers, err := functions.Triggers()
	require.NoError(t, err)
	for name, trigger := range triggers { // of further kinds, too
		if trigger.Type == "httpTrigger" {
			collection, _, _ := strings.Cut(trigger.Route, "/")
			require.True(t, slices.ContainsFunc(slices.Collect(maps.Values(got)), func(address string) bool {
				return strings.Contains(address, " /"+collection)
			}), "%s is not described", name)
		}
	}
}

func TestTheVersionIsKnown(t *testing.T) {
	t.Parallel()
	require.NotEmpty(t, functions.Version())
}

// TestTheDescriptionIsTheSameEachTime: its entity tag would change with every instance.
func TestTheDescriptionIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	first, err := functions.OpenAPI()
	require.NoError(t, err)
	for range 5 {
		again, err := functions.OpenAPI()
		require.NoError(t, err)
		require.Equal(t, string(first), string(again))
	}
}

// TestALifeOfAnOrder is answered as described, refusals included: call checks it. So are
// its events.
func TestALifeOfAnOrder(t *testing.T) {
	t.Parallel()
	h, store, _, _ := app(t)
	const order = `{"customer":"c","lines":[{"sku":"s","quantity":1,"cents":5}]}`
	for _, step := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", "/api/orders/1", order, 201},
		{"GET", "/api/orders/1", "", 200},
		{"HEAD", "/api/orders/1", "", 200},
		{"PATCH", "/api/orders/1", `{"customer":"d"}`, 200},
		{"PUT", "/api/orders/2", `{"customer":"c","lines":[],"status":"lost"}`, 422},
		{"POST", "/api/orders/1", "", 405},
		{"GET", "/api/orders/1/ship", "", 405},
		{"POST", "/api/orders/1/fly", "{}", 404},
		{"POST", "/api/orders/1/ship", `{"carrier":""}`, 422},
		{"POST", "/api/orders/1/ship", `{"carrier":"x","weight":1}`, 400},
		{"POST", "/api/orders/1/ship", `{"carrier":"x"}`, 200},
		{"POST", "/api/orders/1/ship", `{"carrier":"y"}`, 409},
		{"POST", "/api/orders/9/cancel", `{"reason":"none"}`, 404},
		{"DELETE", "/api/orders/1", "", 409},
		{"PUT", "/api/orders/2", order, 201},
		{"POST", "/api/orders/2/cancel", `{"reason":"none"}`, 200},
		{"DELETE", "/api/orders/2", "", 204},
	} {
		require.Equal(t, step.status, call(t, h, step.method, step.path, step.body).Code, "%s %s %s", step.method, step.path, step.body)
	}
	var types []string
	for _, e := range append(store.Events("order:1"), store.Events("order:2")...) {
		require.NoError(t, contract.Event(e.Envelope))
		types = append(types, strings.TrimPrefix(e.Type, "relaybox.order."))
	}
	require.Equal(t, []string{"created", "updated", "shipped", "created", "cancelled", "deleted"}, types)
}
