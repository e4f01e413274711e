package orders_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity/entitytest"
	"github.com/relaybox/relaybox/examples/orders"
)

const book = `{"customer":"ada","lines":[{"sku":"book","quantity":2,"cents":1250}]}`

func TestTheLifeOfAnOrder(t *testing.T) {
	t.Parallel()
	app := entitytest.Run(t, orders.Kind)
	app.Do("POST", "o-1/ship", `{"carrier":"snail"}`, 404)
	app.Do("PUT", "o-1", book, 201)
	app.Do("PUT", "o-1", book, 200) // changes nothing
	app.Do("PATCH", "o-1", `{"lines":[{"sku":"book","quantity":3,"cents":1250}]}`, 200)
	app.Do("POST", "o-1/ship", `{"carrier":"snail","parcel":"42"}`, 200)
	app.Do("POST", "o-1/ship", `{"carrier":"snail"}`, 409)
	app.Do("POST", "o-1/cancel", `{"reason":"late"}`, 409)
	app.Do("PUT", "o-1", book, 409)
	app.Do("DELETE", "o-1", "", 409)
	require.Equal(t, []string{"created", "updated", "shipped"}, app.Events("o-1"))
	view := app.View("o-1")
	require.Equal(t, "ada", view.Customer)
	require.EqualValues(t, 3750, view.Due)
	require.Zero(t, view.Ordered, "it is due now")
	require.EqualValues(t, 2500, view.History[0].Total)
}

func TestACancelledOrderIsNotDue(t *testing.T) {
	t.Parallel()
	app := entitytest.Run(t, orders.Kind)
	app.Do("PUT", "o-1", book, 201)
	app.Do("POST", "o-1/cancel", `{"reason":"late"}`, 200)
	app.Do("POST", "o-1/cancel", `{"reason":"late"}`, 409)
	app.Do("POST", "o-1/ship", `{"carrier":"snail"}`, 409)
	view := app.View("o-1")
	require.Zero(t, view.Due+view.Ordered)
	app.Do("DELETE", "o-1", "", 204)
	require.Equal(t, []string{"created", "cancelled", "deleted"}, app.Events("o-1"))
}

// TestTheStatusIsOurs: clients see it, and may send it back, but not change it.
func TestTheStatusIsOurs(t *testing.T) {
	t.Parallel()
	app := entitytest.Run(t, orders.Kind)
	app.Do("PUT", "o-1", `{"customer":"ada","lines":[{"sku":"book","quantity":1,"cents":1}],"status":"shipped"}`, 422)
	app.Do("PUT", "o-1", `{"customer":"ada","lines":[{"sku":"book","quantity":1,"cents":1}],"status":"open"}`, 201)
	app.Do("PATCH", "o-1", `{"status":"cancelled"}`, 422)
	app.Do("PATCH", "o-1", `{"shipment":{"carrier":"mine"}}`, 422)
	app.Do("PATCH", "o-1", `{"reason":"mine"}`, 422)
	app.Do("POST", "o-1/ship", `{"carrier":""}`, 422)
	app.Do("POST", "o-1/ship", `{"carrier":"snail"}`, 200)
	app.Do("PATCH", "o-1", `{"shipment":null}`, 200) // as it was: nothing changes
	require.Equal(t, []string{"created", "shipped"}, app.Events("o-1"))
}

func TestTheHistoryStaysSmall(t *testing.T) {
	t.Parallel()
	app := entitytest.Run(t, orders.Kind)
	app.Do("PUT", "o-1", book, 201)
	for n := range 60 {
		app.Do("PATCH", "o-1", fmt.Sprintf(`{"customer":"c-%d"}`, n), 200)
	}
	view := app.View("o-1")
	require.Len(t, view.History, 50)
	require.Equal(t, "updated", view.History[0].Event)
}

func TestWhatAnOrderMayHold(t *testing.T) {
	t.Parallel()
	for text, field := range map[string]string{
		`{"lines":[{"sku":"s","quantity":1,"cents":1}]}`:                  "customer",
		`{"customer":"a b","lines":[{"sku":"s","quantity":1,"cents":1}]}`: "customer",
		`{"customer":"ada"}`:            "lines",
		`{"customer":"ada","lines":[]}`: "lines",
		`{"customer":"ada","lines":[{"sku":"","quantity":1,"cents":1}]}`:    "lines[0].sku",
		`{"customer":"ada","lines":[{"sku":"s","quantity":0,"cents":1}]}`:   "lines[0].quantity",
		`{"customer":"ada","lines":[{"sku":"s","quantity":1,"cents":-1}]}`:  "lines[0].cents",
		`{"customer":"ada","lines":[{"sku":"s","quantity":1.5,"cents":1}]}`: "lines[0].quantity",
	} {
		_, err := orders.Kind.Decode([]byte(text))
		require.ErrorContains(t, err, field+" must", text)
	}
}
