package orders_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/examples/orders"
	"github.com/relaybox/relaybox/test/contract"
)

// described is whether a text may be a body, by Decode and by the API's description, which
// must never be the stricter one.
func described(t *testing.T, text string) (decodes, fits bool) {
	t.Helper()
	_, err := orders.Kind.Decode([]byte(text))
	misfit := contract.Body("OrderBody", []byte(text))
	if err == nil {
		require.NoError(t, misfit, "limits in order.go and validate disagree about %s", text)
		require.NoError(t, contract.Body("OrderPatch", []byte(text)), text)
	}
	return err == nil, misfit == nil
}

func TestTheDescriptionHasTheLimits(t *testing.T) {
	t.Parallel()
	const line = `{"sku":"s","quantity":1,"cents":0}`
	order := func(lines string) string { return `{"customer":"c","lines":[` + lines + `]}` }
	for text, ok := range map[string]bool{
		order(line): true, order(""): false, `{"customer":"c"}`: false, `{"lines":[` + line + `]}`: false, `{"customer":"a b","lines":[` + line + `]}`: false,
		order(strings.Repeat(line+",", 99) + line): true, order(strings.Repeat(line+",", 100) + line): false,
		order(`{"sku":"s","quantity":0}`): false, order(`{"sku":"s","quantity":1001}`): false, order(`{"sku":"s","quantity":1000}`): true,
		order(`{"sku":"","quantity":1}`): false, order(`{"quantity":1}`): false, order(`{"sku":"s","quantity":1,"cents":-1}`): false,
		order(`{"sku":"s","quantity":1,"cents":1000000001}`): false, order(`{"sku":"s","quantity":1,"weight":1}`): false,
		`{"customer":"c","lines":[` + line + `],"status":""}`: true, `{"customer":"c","lines":[` + line + `],"status":"shipped"}`: true,
		`{"customer":"c","lines":[` + line + `],"status":"lost"}`: false, `{"customer":"c","lines":[` + line + `],"shipment":null}`: true,
		`{"customer":"c","lines":[` + line + `],"shipment":{}}`: false, `{"customer":"c","lines":[` + line + `],"shipment":{"carrier":"x"}}`: true,
	} {
		decodes, fits := described(t, text)
		require.Equal(t, ok, decodes, text)
		require.Equal(t, ok, fits, text)
	}
}

// TestTheDescriptionIsNeverTheStricterOne tries orders whose values are drawn around the limits.
func TestTheDescriptionIsNeverTheStricterOne(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	pick := func(values ...any) any { return values[random.IntN(len(values))] }
	accepted := 0
	for range 2000 {
		document := map[string]any{"customer": pick("c", "c", "c", "c", "c", "", "a b", strings.Repeat("c", 64), strings.Repeat("c", 65), nil)}
		var lines []any
		for range random.IntN(4) {
			lines = append(lines, map[string]any{
				"sku": pick("s", "s", "s", "s", "s.1", "s.1", "", "ß"), "quantity": pick(1, 1, 1, 2, 1000, 1000, 1001, 0, 1.5), "cents": pick(0, 0, 1, 1, int(1e9), int(1e9), int(1e9)+1, -1, nil),
			})
		}
		document["lines"] = lines
		for name, values := range map[string][]any{
			"status": {"open", "", "lost"}, "shipment": {nil, map[string]any{"carrier": "x"}, map[string]any{}}, "reason": {"", "why", 1}, "other": {1},
		} {
			if random.IntN(4) == 0 {
				document[name] = pick(values...)
			}
		}
		text, err := json.Marshal(document)
		require.NoError(t, err)
		if decodes, _ := described(t, string(text)); decodes {
			accepted++
		}
	}
	require.Greater(t, accepted, 20, "seed %d: hardly any is accepted, so hardly anything was tried", seed)
}

func TestWhatTheActionsTakeIsDescribed(t *testing.T) {
	t.Parallel()
	require.NoError(t, contract.Body("ShipOrderBody", []byte(`{"carrier":"x","parcel":"1"}`)))
	require.Error(t, contract.Body("ShipOrderBody", []byte(`{"parcel":"1"}`)))
	require.Error(t, contract.Body("ShipOrderBody", []byte(`{"carrier":"x","weight":1}`)))
	require.NoError(t, contract.Body("CancelOrderBody", []byte(`{"reason":"none"}`)))
}
