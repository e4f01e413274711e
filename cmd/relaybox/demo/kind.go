package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
)

// kind is a kind of entity as the demo understands it. It is written anew here, and so are
// its rules: a check that leans on the code it checks proves nothing.
type kind struct {
	name string // in keys, sources and event types
	path string // of the resource: /api/path/id
	// ids is how many entities the workload is about. They are demo-000 and on in every
	// kind, so that most ids stand for an entity of each.
	ids int

	// parse reads an entity strictly.
	parse func(text []byte) (state, error)
	// apply returns what a request makes of cur. Requests other than PUT are applied only
	// to what is there.
	apply func(cur state, i *intent) (state, error)
	// events are the names of the events that a change makes, in order.
	events func(old, next state) []string
	// view is what the consumer must keep after events, beside the state.
	view func(events []expected) any

	// want draws a request, put one that makes an entity or replaces it.
	want, put func(rng *rand.Rand, mark string) intent
}

// state is an entity at one version; nil is no entity.
type state interface {
	equal(other state) bool
	String() string
}

// kinds are what the workload is about.
var kinds = []*kind{profiles, orders}

// Why a request must have been refused.
var (
	errMissing    = errors.New("there is no such entity")
	errWrongState = errors.New("the entity's state does not allow it")
)

// key is what an entity is stored, sent and ordered under.
func (k *kind) key(id string) string { return k.name + ":" + id }

// splitKey is the kind, nil if there is none of that name, and the id in a key.
func splitKey(key string) (*kind, string) {
	name, id, _ := strings.Cut(key, ":")
	for _, k := range kinds {
		if k.name == name {
			return k, id
		}
	}
	return nil, id
}

// eventType is the CloudEvents type of an event.
func (k *kind) eventType(name string) string { return "relaybox." + k.name + "." + name }

// read is parse for what may hold no entity.
func (k *kind) read(text json.RawMessage) (state, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	return k.parse(text)
}

// become returns what i makes of cur. It fails where the request must have been refused,
// with errMissing or errWrongState.
func (k *kind) become(i *intent, cur state) (state, error) {
	if cur == nil && i.verb != put && i.verb != keep {
		return nil, fmt.Errorf("%s: %w", i.mark, errMissing)
	}
	next, err := k.apply(cur, i)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", i.mark, err)
	}
	return next, nil
}

func same(a, b state) bool {
	if a == nil {
		return b == nil
	}
	return a.equal(b)
}

func show(s state) string {
	if s == nil {
		return "nothing"
	}
	return s.String()
}

// parseAs reads an S and nothing that an S does not have, such as a member of another kind.
func parseAs[S state](text []byte) (state, error) {
	var s S
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	return s, nil
}
