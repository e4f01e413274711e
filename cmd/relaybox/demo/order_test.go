package demo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOrderStates(t *testing.T) {
	t.Parallel()
	lines := []line{{"a", 2, 50}}
	open := order{Customer: "c", Lines: lines, Status: isOpen}
	shipped := order{Customer: "c", Lines: lines, Status: isShipped, Shipment: &shipment{Carrier: "dhl", Parcel: "7"}}
	cancelled := order{Customer: "c", Lines: lines, Status: isCancelled, Reason: "late"}
	changed := order{Customer: "c", Lines: []line{{"b", 1, 1}}, Status: isOpen}
	var (
		doPut     = &intent{mark: "w", verb: put, body: []byte(`{"customer":"c","lines":[{"sku":"a","quantity":2,"cents":50}]}`)}
		doPatch   = &intent{mark: "w", verb: patch, body: []byte(`{"lines":[{"sku":"b","quantity":1,"cents":1}]}`)}
		doShip    = &intent{mark: "w", verb: act, action: "ship", body: []byte(`{"carrier":"dhl","parcel":"7"}`)}
		doCancel  = &intent{mark: "w", verb: act, action: "cancel", body: []byte(`{"reason":"late"}`)}
		doRemove  = &intent{mark: "w", verb: remove}
		keepItAll = &intent{mark: "w", verb: keep, body: encode(shipped)}
	)
	cases := []struct {
		name   string
		old    state
		do     *intent
		next   state
		events []string
		err    error
	}{
		{"made", nil, doPut, open, []string{"created"}, nil},
		{"changed", open, doPatch, changed, []string{"updated"}, nil},
		{"the same again", open, doPut, open, nil, nil},
		{"shipped", open, doShip, shipped, []string{"shipped"}, nil},
		{"cancelled", open, doCancel, cancelled, []string{"cancelled"}, nil},
		{"cancelled, then deleted", cancelled, doRemove, nil, []string{"deleted"}, nil},
		{"the same when shipped", shipped, doPut, shipped, nil, nil},
		{"kept", shipped, keepItAll, shipped, nil, nil},
		{"changed when shipped", shipped, doPatch, nil, nil, errWrongState},
		{"changed when cancelled", cancelled, doPatch, nil, nil, errWrongState},
		{"shipped twice", shipped, doShip, nil, nil, errWrongState},
		{"shipped when cancelled", cancelled, doShip, nil, nil, errWrongState},
		{"cancelled when shipped", shipped, doCancel, nil, nil, errWrongState},
		{"deleted when shipped", shipped, doRemove, nil, nil, errWrongState},
		{"changed when there is none", nil, doPatch, nil, nil, errMissing},
		{"shipped when there is none", nil, doShip, nil, nil, errMissing},
		{"deleted when there is none", nil, doRemove, nil, nil, errMissing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			next, err := orders.become(c.do, c.old)
			require.ErrorIs(t, err, c.err)
			require.True(t, same(c.next, next), "%s, not %s", show(next), show(c.next))
			if !same(c.old, next) && err == nil {
				require.Equal(t, c.events, orders.events(c.old, next))
			}
		})
	}
}

func TestOrderViewHasEveryEventAndWhatIsDue(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1).UTC()
	o := order{Customer: "c", Lines: []line{{"a", 2, 50}, {"b", 1, 5}}, Status: isOpen}
	require.JSONEq(t, `{"customer":"c","ordered":105,"due":0,"history":[{"event":"created","at":"1970-01-01T00:00:00.001Z","total":105}]}`,
		string(encode(orderView([]expected{{"created", o, at}}))))
	shipped := o
	shipped.Status = isShipped
	require.Contains(t, string(encode(orderView([]expected{{"created", o, at}, {"shipped", shipped, at}}))), `"due":105`)
	require.Contains(t, string(encode(orderView([]expected{{"created", o, at}, {"deleted", nil, at}}))), `"customer":"c","due":0,"history":[{`)
}

// told is an acknowledged attempt, silent one without an answer, and no one that was
// declined. Each lasts a millisecond, from ms on.
func told(i *intent, version, ms int64) attempt {
	return attempt{intent: i, ifMatch: -1, outcome: acknowledged, status: 200, version: version, sent: time.UnixMilli(ms), answered: time.UnixMilli(ms + 1)}
}

func silent(i *intent, ms int64) attempt {
	return attempt{intent: i, ifMatch: -1, outcome: unknown, sent: time.UnixMilli(ms), answered: time.UnixMilli(ms + 1)}
}

func no(i *intent, ms int64) attempt {
	return attempt{intent: i, ifMatch: -1, outcome: declined, status: 409, sent: time.UnixMilli(ms), answered: time.UnixMilli(ms + 1)}
}

func TestHistoryOfAnOrder(t *testing.T) {
	t.Parallel()
	made := &intent{mark: "made", verb: put, body: []byte(`{"customer":"made","lines":[{"sku":"a","quantity":2,"cents":50}]}`)}
	ship := &intent{mark: "ship", verb: act, action: "ship", body: []byte(`{"carrier":"ship"}`)}
	late := &intent{mark: "late", verb: patch, body: []byte(`{"customer":"late"}`)}
	open := order{Customer: "made", Lines: []line{{"a", 2, 50}}, Status: isOpen}
	shipped := order{Customer: "made", Lines: []line{{"a", 2, 50}}, Status: isShipped, Shipment: &shipment{Carrier: "ship"}}
	bus := map[int64]busEvent{1: {seq: 1, name: "created", state: open}, 2: {seq: 2, name: "shipped", state: shipped}}
	cases := []struct {
		name     string
		attempts []attempt
		found    int
		broken   []string
	}{
		{"answered", []attempt{told(made, 1, 1), told(ship, 2, 3), no(late, 5)}, 0, nil},
		{"a repeated PUT finds its own work, shipped by another", []attempt{silent(made, 1), told(ship, 2, 3), told(made, 2, 5)}, 1, nil},
		{"nobody was told of the shipment", []attempt{silent(made, 1), silent(ship, 3), told(made, 2, 5), no(ship, 7)}, 2, nil},
		{"the repetition is told another's version", []attempt{told(made, 1, 1), silent(late, 2), told(ship, 2, 3), told(late, 2, 5)}, 0, []string{noLostWrite}},
		{"declined while it was open", []attempt{told(made, 1, 1), no(late, 3), told(ship, 2, 5)}, 0, []string{refusals}},
		{"declined, and shipped all the same", []attempt{told(made, 1, 1), no(ship, 3)}, 0, []string{noPhantom}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, bad := reconstruct("order:k", orders, c.attempts, &entityDoc{Version: 2, LastSeq: 2, Data: encode(shipped)}, bus)
			var broken []string
			for _, b := range bad {
				broken = append(broken, b.invariant)
			}
			require.Equal(t, c.broken, broken, describe(bad))
			require.Equal(t, c.found, h.found)
		})
	}
}
