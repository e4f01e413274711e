package demo

import "fmt"

// violation is a broken invariant.
type violation struct {
	invariant string
	detail    string
}

func broken(invariant, format string, args ...any) *violation {
	return &violation{invariant: invariant, detail: fmt.Sprintf(format, args...)}
}

// The invariants, in the order of an event's path.
const (
	everyWrite     = "every write is answered in the end"
	trueRead       = "a read shows a version as it was stored"
	newEnough      = "a read is no older than it was allowed to be"
	noLostWrite    = "an acknowledged write is in the store"
	noPhantom      = "what is in the store was asked for"
	conditions     = "If-Match holds and an acknowledged write is never undone"
	oneChange      = "twins of one Idempotency-Key make one change and get one answer"
	refusals       = "a valid write is not refused, and a refusal is true"
	nothingLeft    = "no event is left pending or parked"
	noLostEvent    = "every change's events are on the bus"
	noPhantomEvent = "every event on the bus belongs to a change"
	noDeadLetter   = "no event is dead-lettered"
	busOrder       = "events of an entity are on the bus in order"
	viewEqual      = "the read model equals the last acknowledged state"
	trueCache      = "once all events were heard, the cache has each entity as the store has it"
	oneEffect      = "every event had its effect exactly once"
	listEqual      = "the mailing list has the address of each profile"
)

// pathOrder sorts what is broken: the first may have caused the others.
var pathOrder = []string{everyWrite, refusals, trueRead, newEnough, noLostWrite, noPhantom, conditions, oneChange, nothingLeft, noLostEvent, noPhantomEvent, busOrder, noDeadLetter, viewEqual, oneEffect, listEqual, trueCache}
