package entity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/relaybox/relaybox/entity/document"
	"github.com/relaybox/relaybox/entity/request"
	"github.com/relaybox/relaybox/outbox"
)

// state is a stored entity: what T holds of it, that as JSON, and the document itself,
// which may have members that T does not know.
type state[T any] struct {
	value  *T
	known  json.RawMessage
	stored json.RawMessage
}

// load reads what is stored, nil when there is nothing.
func load[T any](e outbox.Entity) (*state[T], error) {
	if !request.Exists(e) {
		return nil, nil
	}
	s, err := stateOf[T](e.Data)
	if err != nil {
		return nil, fmt.Errorf("stored entity %q: %w", e.Key, err)
	}
	return s, nil
}

func stateOf[T any](stored json.RawMessage) (*state[T], error) {
	if _, ok := inner(stored); !ok {
		return nil, errors.New("it is not a JSON object")
	}
	value, err := document.Read[T](stored)
	if err != nil {
		return nil, err
	}
	s := &state[T]{value: &value, stored: stored}
	s.known, err = document.Encode(value)
	return s, err
}

// holds says whether the stored document is data already, but for how it is written; value
// is what T holds of data.
func (s *state[T]) holds(value, data json.RawMessage) (bool, error) {
	if s == nil || !bytes.Equal(s.known, value) {
		return false, nil
	}
	if bytes.Equal(s.known, s.stored) {
		return document.Equal(value, data), nil
	}
	now, err := document.Carry[T](s.stored, s.known, s.known) // without zeros that T would leave out
	return err == nil && document.Equal(now, data), err
}

// decode reads an entity that a client sends, strictly, and checks its values unless Accept
// comes first.
func (k Kind[T, V]) decode(text []byte) (T, error) {
	if k.Accept != nil {
		k.Validate = nil
	}
	return k.Decode(text)
}

// Decode reads the JSON text of one entity and checks it against the kind's limits. It
// fails with *document.SyntaxError, *document.UnknownFieldError,
// *document.DuplicateFieldError, or with one *document.InvalidError that names every field
// of a wrong type or value.
func (k Kind[T, V]) Decode(text []byte) (T, error) {
	var faults Faults
	e, err := document.Decode[T](text, &faults)
	if err != nil {
		return e, err
	}
	if !faults.Has("$") { // what is no object has no fields to be judged
		k.validate(e, &faults)
	}
	return e, faults.Err()
}

func (k Kind[T, V]) validate(e T, faults *Faults) {
	if k.Validate != nil {
		k.Validate(e, faults)
	}
}

// eventData is the CloudEvents data of every event of every kind.
type eventData struct {
	ID string `json:"id"`
	// State is the whole document after the change, null once the entity is gone: who is
	// gone leaves nothing behind. It is never absent.
	State  json.RawMessage `json:"state"`
	Detail json.RawMessage `json:"detail,omitempty"`
}

// drafts are the events of a change, never none. data is the new document, nil for a
// deletion.
func (k Kind[T, V]) drafts(id string, old, next *T, data json.RawMessage) ([]outbox.Draft, error) {
	var events []Event
	if k.Changes != nil {
		events = k.Changes(old, next)
	}
	if len(events) == 0 {
		events = []Event{{Name: lifeEvent(old == nil, next == nil)}}
	}
	drafts := make([]outbox.Draft, len(events))
	for i, e := range events {
		if !k.knows(e.Name) {
			return nil, fmt.Errorf("kind %q: Changes returns the event %q, which Events does not declare: add it to the kind's Events", k.Name, e.Name)
		}
		if e.Name == Snapshot {
			return nil, fmt.Errorf("kind %q: Changes returns the event %q, which replays alone make: give what happened another name", k.Name, e.Name)
		}
		if gone := next == nil; gone && (e.Name == Created || e.Name == Updated) || !gone && e.Name == Deleted {
			return nil, fmt.Errorf("kind %q: Changes returns the event %q for an entity that is then %s: give what happened another name", k.Name, e.Name, map[bool]string{true: "gone", false: "there"}[gone])
		}
		if got, want := typeOf(e.Detail), typeOf(k.Events[e.Name]); got != want {
			return nil, fmt.Errorf("kind %q: the event %q has a detail of type %v, and the kind's Events declares %v: make them one", k.Name, e.Name, got, want)
		}
		d := eventData{ID: id, State: data}
		if e.Detail != nil {
			var err error
			if d.Detail, err = document.Encode(e.Detail); err != nil {
				return nil, fmt.Errorf("kind %q: detail of the event %q: %w", k.Name, e.Name, err)
			}
		}
		drafts[i] = outbox.Draft{Type: eventType(k.Name, e.Name), Data: d}
	}
	return drafts, nil
}

// typeOf is the type of a detail, nil for none: a pointer is as good as what it points to.
func typeOf(detail any) reflect.Type {
	t := reflect.TypeOf(detail)
	if t != nil && t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

func lifeEvent(begins, ends bool) string {
	switch {
	case begins:
		return Created
	case ends:
		return Deleted
	}
	return Updated
}

// render is the answer that shows e; a deleted one shows nothing. The address is where a
// created one is found.
func render(address string) func(e outbox.Entity, status int) outbox.Answer {
	return func(e outbox.Entity, status int) outbox.Answer {
		a := outbox.Answer{Status: status}
		if !request.Exists(e) {
			return a
		}
		_, id := outbox.SplitKey(e.Key)
		a.ETag, a.Body = request.Tag(e), body(id, e)
		if status == 201 {
			a.Location = address
		}
		return a
	}
}

// inner is what stands between the braces of a stored document; false for one that is no
// object, which nobody but a stranger can have stored.
func inner(document json.RawMessage) ([]byte, bool) {
	text := bytes.TrimSpace(document)
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return nil, false
	}
	return bytes.TrimSpace(text[1 : len(text)-1]), true
}

// body is the document with what every resource has: its id in front, version and time of
// the last change behind.
func body(id string, e outbox.Entity) json.RawMessage {
	text := make([]byte, 0, len(e.Data)+len(id)+80)
	text = append(append(text, `{"id":"`...), id...) // an id needs no escapes
	text = append(text, '"')
	if members, _ := inner(e.Data); len(members) > 0 {
		text = append(append(text, ','), members...)
	}
	text = strconv.AppendInt(append(text, `,"version":`...), e.Version, 10)
	text = e.UpdatedAt.AppendFormat(append(text, `,"updatedAt":"`...), time.RFC3339Nano)
	return append(text, `"}`...)
}
