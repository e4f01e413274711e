package entity

import (
	"encoding/json"
	"time"

	"github.com/relaybox/relaybox/entity/document"
	"github.com/relaybox/relaybox/entity/problem"
)

// Kind is one kind of entity: T is what clients write and read, V what the consumer keeps
// of it beside its state. Both are structs that encoding/json writes and reads.
type Kind[T, V any] struct {
	// Name: 1 to 32 lower-case letters, digits and '-', a letter first. It is part of keys,
	// event types and sources, so it stays for ever.
	Name string
	// Validate notes what is wrong with the values of e; its types are right already. It is
	// asked about what would be stored: of a PUT or PATCH after Accept, and after an action.
	Validate func(e T, faults *Faults)
	// Accept has the last word on a PUT, PATCH or DELETE: old is nil for an entity that is
	// to be made, next is nil for one that is to be deleted. It may fill in what clients do
	// not write, and refuses with Refuse or Invalid. The values of next are not validated yet.
	Accept func(old, next *T) error
	// Actions are what a POST to the entity's address and the action's name does.
	Actions Actions[T]
	// Events are the names of the kind's events beside Created, Updated and Deleted, each
	// with the zero value of its Detail, or nil for one without.
	Events map[string]any
	// Changes tells a change from old to next as events, in order; nil is no entity. By
	// default it is one of Created, Updated and Deleted. It must be pure. It is not asked
	// about requests that change nothing; a change that it has no event for is Updated.
	Changes func(old, next *T) []Event
	// Apply returns the view as it is after c. It must be pure, and take an event whose name
	// it does not know for Updated: a newer version of the app may have sent it. A Snapshot says
	// what the entity is, or that it is gone, and that nothing has happened to it. Its error means that the event
	// can never be applied.
	Apply func(v V, c Change[T]) (V, error)
	// PutReplaces makes a PUT drop stored members that this version of T does not have.
	PutReplaces bool
}

// None is a view that keeps nothing beside the state, and a detail or input without
// members.
type None struct{}

// Names of events that every kind has. A Snapshot is a replay's, for a subscription that came
// late: it has the whole state, none where the entity is gone, and no change of the kind makes one.
const (
	Created  = "created"
	Updated  = "updated"
	Deleted  = "deleted"
	Snapshot = "snapshot"
)

// Event is one event of a change. The state after the change is added to it.
type Event struct {
	// Name is Created, Updated, Deleted or one of Kind.Events.
	Name string
	// Detail is what the state does not tell, such as the value before; nil for nothing. It
	// is encoded as JSON.
	Detail any
}

// Change is an event as the consumer sees it.
type Change[T any] struct {
	// ID is the entity's, without its kind.
	ID string
	// Name is Created, Updated, Deleted, Snapshot, one of Kind.Events, or one of a newer version's.
	Name string
	// State is the entity after the change, nil when it is gone: by Deleted, by an event of
	// the kind's own, or long since where that is what a Snapshot tells.
	State *T
	// Detail is the JSON of Event.Detail, nil without one.
	Detail json.RawMessage
	// Seq numbers the events of the entity; Time is the writer's clock, of a Snapshot the replay's.
	Seq  int64
	Time time.Time
}

// Faults collects what is wrong with an entity; see document.Faults.
type Faults = document.Faults

// Actions are the actions of a kind by name: 1 to 32 lower-case letters, digits and '-', a
// letter first.
type Actions[T any] map[string]Action[T]

// Action is one action; Do makes one.
type Action[T any] struct {
	decode func(body []byte) (func(T) (T, error), error)
	input  any   // the zero value of what the body holds, for the API's description
	bare   bool  // no body is needed
	err    error // why a body cannot be kept in the input
}

// Do makes an action of a function that returns the entity as it is after the action. In
// is what the request's body holds, a struct, or None if there is none; if it has a method
// Validate(*Faults), that is asked before the function. The function must be pure. It
// refuses with Refuse, for a state that does not allow the action, or with Invalid.
func Do[T, In any](do func(e T, in In) (T, error)) Action[T] {
	if do == nil {
		return Action[T]{}
	}
	var zero In
	_, bare := any(zero).(None)
	return Action[T]{input: zero, bare: bare, err: document.Check[In](), decode: func(body []byte) (func(T) (T, error), error) {
		var in In
		if len(body) > 0 || !bare {
			var faults Faults
			var err error
			if in, err = document.Decode[In](body, &faults); err == nil {
				if v, ok := any(in).(interface{ Validate(faults *Faults) }); ok && !faults.Has("$") {
					v.Validate(&faults)
				}
				err = faults.Err()
			}
			if err != nil {
				return nil, err
			}
		}
		return func(e T) (T, error) { return do(e, in) }, nil
	}}
}

// Refuse is the error of an action, or of Kind.Accept, that the entity's state does not
// allow: 409 with the detail.
func Refuse(format string, args ...any) error {
	return problem.New(problem.WrongState, format, args...)
}

// Invalid is the error of an action whose input, or of Kind.Accept whose entity, has a
// field that cannot be: 422 with the field and the detail, which goes on where the field's
// name ends.
func Invalid(field, format string, args ...any) error {
	var faults Faults
	faults.Add(field, format, args...)
	return faults.Err()
}

// typePrefix is the beginning of every event type: relaybox.order.shipped.
const typePrefix = "relaybox."

// eventType is the CloudEvents type of an event of a kind.
func eventType(kind, name string) string { return typePrefix + kind + "." + name }

// knows says whether the kind has events of this name.
func (k Kind[T, V]) knows(event string) bool {
	_, declared := k.Events[event]
	return declared || event == Created || event == Updated || event == Deleted || event == Snapshot
}
