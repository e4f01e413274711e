package entity

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/relaybox/relaybox/entity/api"
	"github.com/relaybox/relaybox/inbox"
)

// Definition is a Kind of any types.
type Definition interface {
	check() error
	name() string
	knows(event string) bool
	describe() api.Kind
	// apply is the kind's part of Kinds.Apply, hear its part of Kinds.Event.
	apply(model json.RawMessage, e inbox.Event) (json.RawMessage, error)
	hear(e inbox.Event, name string) (any, error)
}

func (k Kind[T, V]) name() string { return k.Name }

// Kinds are the kinds that an app knows.
type Kinds struct{ byName map[string]Definition }

// NewKinds checks the kinds and puts them together. Its error says what keeps one of them
// from being served, and the remedy.
func NewKinds(all ...Definition) (*Kinds, error) {
	k := &Kinds{byName: map[string]Definition{}}
	for i, d := range all {
		if d == nil {
			return nil, fmt.Errorf("kind %d of %d is nil: name an entity.Kind in its place, or take it out", i+1, len(all))
		}
		if err := d.check(); err != nil {
			return nil, err
		}
		if _, taken := k.byName[d.name()]; taken {
			return nil, fmt.Errorf("kind %q is there twice: a name stands for one kind, so give the other one another Name", d.name())
		}
		k.byName[d.name()] = d
	}
	return k, nil
}

// Names are the kinds' names, sorted.
func (k *Kinds) Names() []string {
	names := make([]string, 0, len(k.byName))
	for name := range k.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// has says that d is one of the kinds, or what to do about it.
func (k *Kinds) has(d Definition) error {
	if err := d.check(); err != nil {
		return err
	}
	var known Definition
	if k != nil {
		known = k.byName[d.name()]
	}
	switch {
	case known == nil:
		return fmt.Errorf("kind %q has HTTP functions and is not registered, so its events would be refused by the consumer: add it to the kinds in functions/functions.go", d.name())
	case reflect.TypeOf(known) != reflect.TypeOf(d):
		return fmt.Errorf("kind %q is registered with other types (%T, not %T): give one of the two another Name", d.name(), known, d)
	}
	return nil
}
