// Package orders is a second kind of entity, with states: an order is made and changed
// with PUT and PATCH while it is open, and shipped or cancelled by an action.
//
//	         created           shipped
//	(nothing) ─────→ open ─┬────────────→ shipped, which stays
//	                  ↑ │  └────────────→ cancelled
//	          updated └─┘     cancelled
//
// An open or cancelled order can be deleted.
package orders

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"time"

	"github.com/relaybox/relaybox/entity"
)

// Kind is the kind of entity.
var Kind = entity.Kind[Order, View]{
	Name:     "order",
	Validate: Order.validate,
	Accept:   accept,
	Actions:  entity.Actions[Order]{"ship": entity.Do(ship), "cancel": entity.Do(cancel)},
	Events:   map[string]any{string(Shipped): nil, string(Cancelled): nil},
	Changes:  changes,
	Apply:    apply,
}

// Status is where an order stands.
type Status string

// The states of an order. Shipped and Cancelled are the names of events, too.
const (
	Open      Status = "open"
	Shipped   Status = "shipped"
	Cancelled Status = "cancelled"
)

// Order is what a customer has ordered. The tag limits tells the API's description what
// validate enforces.
type Order struct {
	// Customer: 1 to 64 letters, digits, '.', '_' and '-'.
	Customer string `json:"customer" limits:"required pattern=^[A-Za-z0-9._-]{1,64}$"`
	// Lines: 1 to 100.
	Lines []Line `json:"lines" limits:"required minItems=1 maxItems=100"`
	// Status, Shipment and Reason are set by us and the actions, not by clients.
	Status   Status    `json:"status,omitempty" limits:"enum=|open|shipped|cancelled"`
	Shipment *Shipment `json:"shipment,omitempty"`
	Reason   string    `json:"reason,omitempty"`
}

// Line is one article of an order.
type Line struct {
	SKU string `json:"sku" limits:"required pattern=^[A-Za-z0-9._-]{1,64}$"`
	// Quantity: 1 to 1,000. Cents is the price of one.
	Quantity int   `json:"quantity" limits:"required minimum=1 maximum=1000"`
	Cents    int64 `json:"cents" limits:"minimum=0 maximum=1000000000"`
}

// Shipment is what the action ship must be told.
type Shipment struct {
	Carrier string `json:"carrier" limits:"required pattern=^[A-Za-z0-9._-]{1,64}$"`
	Parcel  string `json:"parcel,omitempty"`
}

// Cancellation is what the action cancel must be told.
type Cancellation struct {
	Reason string `json:"reason"`
}

var name = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (o Order) validate(faults *entity.Faults) {
	if !name.MatchString(o.Customer) {
		faults.Add("customer", "must be 1 to 64 letters, digits, '.', '_' and '-'")
	}
	if !slices.Contains([]Status{"", Open, Shipped, Cancelled}, o.Status) {
		faults.Add("status", "must be open, shipped or cancelled")
	}
	if o.Shipment != nil && !name.MatchString(o.Shipment.Carrier) {
		faults.Add("shipment.carrier", "must be 1 to 64 letters, digits, '.', '_' and '-'")
	}
	if n := len(o.Lines); n < 1 || n > 100 {
		faults.Add("lines", "must have 1 to 100 elements, not %d", n)
		return
	}
	for i, l := range o.Lines {
		at := fmt.Sprintf("lines[%d].", i)
		if !name.MatchString(l.SKU) {
			faults.Add(at+"sku", "must be 1 to 64 letters, digits, '.', '_' and '-'")
		}
		if l.Quantity < 1 || l.Quantity > 1000 {
			faults.Add(at+"quantity", "must be from 1 to 1000, not %d", l.Quantity)
		}
		if l.Cents < 0 || l.Cents > 1e9 {
			faults.Add(at+"cents", "must be from 0 to 1000000000, not %d", l.Cents)
		}
	}
}

// Total is what the order costs, in cents.
func (o Order) Total() int64 {
	var sum int64
	for _, l := range o.Lines {
		sum += int64(l.Quantity) * l.Cents
	}
	return sum
}

// accept keeps clients to what is theirs.
func accept(old, next *Order) error {
	switch {
	case next == nil && old.Status == Shipped:
		return entity.Refuse("A shipped order stays.")
	case next == nil:
		return nil
	case old == nil:
		old = &Order{Status: Open}
	case old.Status != Open && !(reflect.DeepEqual(old.Lines, next.Lines) && old.Customer == next.Customer):
		return entity.Refuse("The order is %s; only an open one can be changed.", old.Status)
	}
	switch {
	case next.Status != "" && next.Status != old.Status:
		return entity.Invalid("status", "is changed by the actions ship and cancel only")
	case next.Shipment != nil && !reflect.DeepEqual(next.Shipment, old.Shipment):
		return entity.Invalid("shipment", "is set by the action ship only")
	case next.Reason != "" && next.Reason != old.Reason:
		return entity.Invalid("reason", "is set by the action cancel only")
	}
	next.Status, next.Shipment, next.Reason = old.Status, old.Shipment, old.Reason
	return nil
}

// Validate is asked before ship.
func (s Shipment) Validate(faults *entity.Faults) {
	if !name.MatchString(s.Carrier) {
		faults.Add("carrier", "must be 1 to 64 letters, digits, '.', '_' and '-'")
	}
}

func ship(o Order, s Shipment) (Order, error) {
	if o.Status != Open {
		return o, entity.Refuse("The order is %s; only an open one can be shipped.", o.Status)
	}
	o.Status, o.Shipment = Shipped, &s
	return o, nil
}

func cancel(o Order, c Cancellation) (Order, error) {
	if o.Status != Open {
		return o, entity.Refuse("The order is %s; only an open one can be cancelled.", o.Status)
	}
	o.Status, o.Reason = Cancelled, c.Reason
	return o, nil
}

// changes has an event for each transition.
func changes(old, next *Order) []entity.Event {
	switch {
	case old == nil:
		return []entity.Event{{Name: entity.Created}}
	case next == nil:
		return []entity.Event{{Name: entity.Deleted}}
	case old.Status != next.Status:
		return []entity.Event{{Name: string(next.Status)}}
	}
	return []entity.Event{{Name: entity.Updated}}
}

// View is what the accounts department keeps of an order: the sum of Due over the views of
// a customer is what the customer owes.
type View struct {
	Customer string `json:"customer"`
	// Due is the total of a shipped order, in cents; nothing is due before.
	Due int64 `json:"due"`
	// Ordered is the total of an open one.
	Ordered int64 `json:"ordered"`
	// History are the order's newest events, at most 50: a view has to stay small, because each
	// event rewrites it.
	History []Step `json:"history"`
}

// Step is one event in the life of an order.
type Step struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"`
	Total int64     `json:"total"`
}

const maxHistory = 50

func apply(v View, c entity.Change[Order]) (View, error) {
	next := View{Customer: v.Customer, History: append(slices.Clone(v.History), Step{Event: c.Name, At: c.Time})}
	next.History = next.History[max(0, len(next.History)-maxHistory):]
	if o := c.State; o != nil {
		next.Customer = o.Customer
		next.History[len(next.History)-1].Total = o.Total()
		switch o.Status {
		case Open:
			next.Ordered = o.Total()
		case Shipped:
			next.Due = o.Total()
		}
	}
	return next, nil
}
