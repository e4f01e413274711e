package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// orders have states: an open one can be changed, shipped and cancelled, the others
// cannot, and a shipped one cannot be deleted either.
var orders = &kind{
	name: "order", path: "orders", ids: 60,
	parse: parseAs[order], apply: applyToOrder, events: orderEvents, view: orderView,
	want: wantOrder, put: putOrder,
}

// The states of an order. The last two are events as well.
const (
	isOpen      = "open"
	isShipped   = "shipped"
	isCancelled = "cancelled"
)

// order has the mark of the intent that made it in its customer, its first line, its
// shipment or its reason.
type order struct {
	Customer string    `json:"customer"`
	Lines    []line    `json:"lines"`
	Status   string    `json:"status,omitempty"` // empty in a client's PUT only
	Shipment *shipment `json:"shipment,omitempty"`
	Reason   string    `json:"reason,omitempty"`
}

type line struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Cents    int64  `json:"cents"`
}

type shipment struct {
	Carrier string `json:"carrier"`
	Parcel  string `json:"parcel,omitempty"`
}

func (o order) equal(other state) bool {
	p, ok := other.(order)
	return ok && o.sameContent(p) && o.Status == p.Status && o.Reason == p.Reason &&
		(o.Shipment == nil) == (p.Shipment == nil) && (o.Shipment == nil || *o.Shipment == *p.Shipment)
}

// sameContent compares what clients set with PUT and PATCH.
func (o order) sameContent(p order) bool {
	return o.Customer == p.Customer && slices.Equal(o.Lines, p.Lines)
}

func (o order) String() string { return "order " + string(encode(o)) }

// total is what the order costs, in cents.
func (o order) total() (sum int64) {
	for _, l := range o.Lines {
		sum += l.Cents * int64(l.Quantity)
	}
	return sum
}

func applyToOrder(cur state, i *intent) (state, error) {
	old, there := cur.(order)
	if !there {
		old = order{Status: isOpen}
	}
	switch i.verb {
	case remove:
		if old.Status == isShipped {
			return nil, errWrongState
		}
		return nil, nil
	case act:
		return old.act(i.action, i.body)
	case patch:
		merged, err := merge(cur, i.body)
		if err != nil {
			return nil, err
		}
		return old.replace(merged)
	}
	return old.replace(i.body)
}

// replace takes customer and lines from a client; the rest is not the client's.
func (o order) replace(body []byte) (state, error) {
	var next order
	if err := json.Unmarshal(body, &next); err != nil {
		return nil, err
	}
	if o.Status != isOpen && !o.sameContent(next) {
		return nil, errWrongState
	}
	o.Customer, o.Lines = next.Customer, next.Lines
	return o, nil
}

// act ships or cancels the order.
func (o order) act(action string, body []byte) (state, error) {
	if o.Status != isOpen {
		return nil, errWrongState
	}
	var input struct {
		shipment
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal(body, &input); err != nil {
		return nil, err
	}
	switch action {
	case "ship":
		o.Status, o.Shipment = isShipped, &input.shipment
	case "cancel":
		o.Status, o.Reason = isCancelled, input.Reason
	}
	return o, nil
}

func orderEvents(old, next state) []string {
	switch {
	case old == nil:
		return []string{"created"}
	case next == nil:
		return []string{"deleted"}
	case old.(order).Status != next.(order).Status:
		return []string{next.(order).Status}
	}
	return []string{"updated"}
}

// step is one event in the life of an order, as the consumer remembers it.
type step struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"`
	Total int64     `json:"total"`
}

// orderView has every event, what an open order comes to and what a shipped one costs. The
// customer of a deleted order is remembered.
func orderView(events []expected) any {
	var customer string
	var ordered, due int64
	var history []step
	for _, e := range events {
		o, _ := e.state.(order)
		history = append(history, step{e.name, e.at, o.total()})
		ordered, due = 0, 0
		switch o.Status {
		case isOpen:
			ordered = o.total()
		case isShipped:
			due = o.total()
		}
		if e.state != nil {
			customer = o.Customer
		}
	}
	return map[string]any{"customer": customer, "ordered": ordered, "due": due, "history": history}
}

// Shares of the requests for orders, in percent; the rest are PUTs. An order is written to
// about four times, so many requests find it shipped or cancelled.
const (
	percentRevise      = 20
	percentShip        = 15
	percentCancel      = 17
	percentRemoveOrder = 12
	percentKeepOrder   = 3
)

func wantOrder(rng *rand.Rand, mark string) intent {
	switch p := rng.IntN(100); {
	case p < percentRevise:
		return patchOrder(rng, mark)
	case p < percentRevise+percentShip:
		return intent{mark: mark, verb: act, action: "ship", body: encode(shipment{Carrier: pick(rng, names), Parcel: mark})}
	case p < percentRevise+percentShip+percentCancel:
		return intent{mark: mark, verb: act, action: "cancel", body: encode(map[string]string{"reason": mark + " " + pick(rng, scripts)})}
	case p < percentRevise+percentShip+percentCancel+percentRemoveOrder:
		return intent{mark: mark, verb: remove}
	case p < percentRevise+percentShip+percentCancel+percentRemoveOrder+percentKeepOrder:
		return intent{mark: mark, verb: keep}
	}
	return putOrder(rng, mark)
}

func putOrder(rng *rand.Rand, mark string) intent {
	return intent{mark: mark, verb: put, body: encode(order{Customer: mark + "-" + pick(rng, names), Lines: someLines(rng, mark)})}
}

// patchOrder changes the lines, sometimes the customer instead.
func patchOrder(rng *rand.Rand, mark string) intent {
	change := map[string]any{"lines": someLines(rng, mark)}
	if chance(rng, 30) {
		change = map[string]any{"customer": mark + "-" + pick(rng, names)}
	}
	return intent{mark: mark, verb: patch, body: encode(change)}
}

func someLines(rng *rand.Rand, mark string) []line {
	lines := make([]line, 1+rng.IntN(5))
	for n := range lines {
		lines[n] = line{SKU: fmt.Sprintf("%s-%d", mark, n), Quantity: 1 + rng.IntN(9), Cents: rng.Int64N(100_000)}
	}
	return lines
}
