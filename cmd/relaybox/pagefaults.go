package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/relaybox/relaybox/cmd/relaybox/page"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/netsim"
)

// Names of the switches that are no faults of a stand-in: they cut its network.
const (
	cutStore  = "cut-store"
	cutBroker = "cut-broker"
	refuseOf  = "broker-refuses" // of the keys that a pattern fits
)

// refusal marks the faults of the switch refuseOf.
const refusal = "refused by a switch of the page"

// storeFaults and busFaults are the switches by name.
var (
	storeFaults = map[string]minicosmos.Fault{
		"store-throttles": {Do: minicosmos.Throttle, Chance: 0.3},
		"store-slow":      {Do: minicosmos.Delay, Delay: minicosmos.Duration(200 * time.Millisecond)},
		"store-mute":      {Do: minicosmos.DropAfter, Chance: 0.2},
	}
	busFaults = map[string]minibus.Fault{
		"broker-busy": {On: minibus.OnSend, Do: minibus.Busy},
		"broker-mute": {On: minibus.OnSend, Do: minibus.DropAfter, Chance: 0.2},
		"locks-lost":  {On: minibus.OnSettle, Do: minibus.LoseLock, Chance: 0.2},
	}
	// switchOrder is the order of the page.
	switchOrder = []string{cutStore, "store-throttles", "store-slow", "store-mute", cutBroker, "broker-busy", "broker-mute", refuseOf, "locks-lost"}
)

// switches are all, and how many faults somebody else has switched on.
func (p *pageSource) switches() (list []page.Switch, others int) {
	p.faults.Lock()
	defer p.faults.Unlock()
	on := map[string]page.Switch{}
	met := func(name, keys string, fired int, over bool) {
		switch s, known := on[name]; {
		case over:
		case name == "":
			others++
		case known:
			fired += *s.Fired
			fallthrough
		default:
			on[name] = page.Switch{On: true, Keys: keys, Fired: &fired}
		}
	}
	for _, f := range p.stack.Cosmos.Faults() {
		met(nameOfFault(f.Fault, storeFaults), "", f.Fired, spent(f.Times, f.Fired))
	}
	for _, f := range p.stack.Bus.Faults() {
		met(nameOfBusFault(f.Fault), f.Session, f.Fired, spent(f.Times, f.Fired))
	}
	on[cutStore] = page.Switch{On: p.stack.CosmosNet.IsCut()}
	on[cutBroker] = page.Switch{On: p.stack.BusNet.IsCut()}
	for _, name := range switchOrder {
		s := on[name]
		s.Name = name
		list = append(list, s)
	}
	return list, others
}

// spent says that a fault is over: it stays in the list.
func spent(times, fired int) bool { return times > 0 && fired >= times }

func nameOfFault[F comparable](f F, all map[string]F) string {
	for name, one := range all {
		if one == f {
			return name
		}
	}
	return ""
}

func nameOfBusFault(f minibus.Fault) string {
	if f.Text == refusal {
		return refuseOf
	}
	return nameOfFault(f, busFaults)
}

// switchFault switches a fault on or off.
func (p *pageSource) switchFault(a page.Act) (string, error) {
	p.faults.Lock()
	defer p.faults.Unlock()
	said := a.Fault + " is off"
	if a.On {
		said = a.Fault + " is on"
	}
	store, ofStore := storeFaults[a.Fault]
	bus, ofBus := busFaults[a.Fault]
	switch {
	case a.Fault == cutStore:
		cut(p.stack.CosmosNet, a.On)
		return said, nil
	case a.Fault == cutBroker:
		cut(p.stack.BusNet, a.On)
		return said, nil
	case a.Fault == refuseOf:
		if a.On && a.Keys == "" {
			return "", errors.New("which keys shall the broker refuse? Write a pattern such as KIND:bad-*")
		}
		// This condition is about the message: the event is parked, and the broker not taken for away.
		bus, ofBus = minibus.Fault{Entity: p.stack.Settings["EVENTS_TOPIC"], On: minibus.OnSend, Do: minibus.Refuse, Condition: "amqp:not-allowed", Text: refusal, Session: a.Keys}, true
	}
	switch {
	case ofStore:
		return said, exchange(p.stack.Cosmos, store, a.On, func(f minicosmos.Injected) (minicosmos.Fault, bool) {
			return f.Fault, nameOfFault(f.Fault, storeFaults) == a.Fault || spent(f.Times, f.Fired)
		})
	case ofBus:
		return said, exchange(p.stack.Bus, bus, a.On, func(f minibus.Injected) (minibus.Fault, bool) {
			return f.Fault, nameOfBusFault(f.Fault) == a.Fault || spent(f.Times, f.Fired)
		})
	}
	return "", fmt.Errorf("there is no fault %q", a.Fault)
}

func cut(n *netsim.Listener, on bool) {
	if on {
		n.Cut()
	} else {
		n.Heal()
	}
}

// faulty is a stand-in's faults of type F, shown as S.
type faulty[F, S any] interface {
	Inject(list ...F) error
	Faults() []S
	ClearFaults()
}

// exchange takes the faults of a switch away, and puts its fault there if it is on. A stand-in can
// only clear all, so the others are injected anew, and what they have fired is counted from zero.
func exchange[F, S any](of faulty[F, S], fault F, on bool, drop func(S) (F, bool)) error {
	if on { // one that cannot be leaves the others as they are
		if err := of.Inject(fault); err != nil {
			return err
		}
	}
	var list []F
	for _, s := range of.Faults() {
		if f, drops := drop(s); !drops {
			list = append(list, f)
		}
	}
	if on {
		list = append(list, fault)
	}
	of.ClearFaults()
	return of.Inject(list...)
}

// clearFaults switches everything off, by whomever it was switched on.
func (p *pageSource) clearFaults() {
	p.faults.Lock()
	defer p.faults.Unlock()
	p.stack.Cosmos.ClearFaults()
	p.stack.Bus.ClearFaults()
	p.stack.CosmosNet.Heal()
	p.stack.BusNet.Heal()
}
