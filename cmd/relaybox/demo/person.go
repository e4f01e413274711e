package demo

import (
	"encoding/json"
	"fmt"
	"maps"
)

// person is a profile as the demo understands it. It is written anew here, and so are
// the rules below: a check that leans on the code it checks proves nothing.
type person struct {
	DisplayName string            `json:"displayName"`
	Email       string            `json:"email,omitempty"`
	Bio         string            `json:"bio,omitempty"`
	Locale      string            `json:"locale,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
}

func (p *person) equal(q *person) bool {
	if p == nil || q == nil {
		return p == q
	}
	return p.DisplayName == q.DisplayName && p.Email == q.Email && p.Bio == q.Bio &&
		p.Locale == q.Locale && maps.Equal(p.Attributes, q.Attributes)
}

func (p *person) String() string {
	if p == nil {
		return "no profile"
	}
	return fmt.Sprintf("profile %q", p.DisplayName)
}

// verb is what a request asks for.
type verb int

const (
	put verb = iota
	patch
	remove
	// keep is a PUT of what is there already: it must change nothing and make no event.
	keep
)

func (v verb) method() string {
	return [...]string{"PUT", "PATCH", "DELETE", "PUT"}[v]
}

// intent is one thing that a client wants. Its mark is the display name that it sets,
// so every state of a profile names the intent that made it; a deletion leaves none.
type intent struct {
	mark string
	verb verb
	body []byte
}

// apply returns what cur becomes, nil standing for no profile. It fails where the
// request must have been refused.
func (i *intent) apply(cur *person) (*person, error) {
	switch i.verb {
	case remove:
		if cur == nil {
			return nil, fmt.Errorf("%s: nothing to delete", i.mark)
		}
		return nil, nil
	case patch:
		if cur == nil {
			return nil, fmt.Errorf("%s: nothing to patch", i.mark)
		}
		return merge(cur, i.body)
	}
	next := new(person)
	return next, json.Unmarshal(i.body, next)
}

// merge is a JSON merge patch (RFC 7396) of a profile.
func merge(cur *person, patch []byte) (*person, error) {
	text, err := json.Marshal(cur)
	if err != nil {
		return nil, err
	}
	var target, change any
	if err := json.Unmarshal(text, &target); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(patch, &change); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(mergeValue(target, change)); err != nil {
		return nil, err
	}
	next := new(person)
	return next, json.Unmarshal(text, next)
}

func mergeValue(target, change any) any {
	members, ok := change.(map[string]any)
	if !ok {
		return change
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range members {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = mergeValue(object[name], value)
		}
	}
	return object
}

// eventTypes are the types of the events that the change from old to next must make.
func eventTypes(old, next *person) []string {
	switch {
	case old.equal(next):
		return nil
	case old == nil:
		return []string{"relaybox.profile.created"}
	case next == nil:
		return []string{"relaybox.profile.deleted"}
	case old.Email != next.Email:
		return []string{"relaybox.profile.updated", "relaybox.profile.email-changed"}
	}
	return []string{"relaybox.profile.updated"}
}
