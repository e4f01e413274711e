package sim

import (
	"encoding/json"
	"fmt"
	"strings"
)

// kind is a kind of entity, as its clients and the checker know it.
type kind struct {
	name, path string
	// What clients send: a merge patch, what somebody may have written before, and what
	// nobody has.
	patch func(name string) string
	same  func(n int) string
	put   func(name string, n int) string
	// applied are the events that a view shows the effects of, by name.
	applied func(view json.RawMessage) map[string]int64
}

func (k *kind) key(id string) string { return k.name + ":" + id }

var profiles = kind{
	name: "profile", path: "profiles/",
	patch: func(name string) string { return fmt.Sprintf(`{"displayName":%q}`, name) },
	same:  func(n int) string { return fmt.Sprintf(`{"displayName":"same-%d"}`, n) },
	put: func(name string, n int) string {
		return fmt.Sprintf(`{"displayName":%q,"email":"%d@example.org"}`, name, n)
	},
	applied: func(view json.RawMessage) map[string]int64 {
		var v struct {
			Applied map[string]int64 `json:"applied"`
		}
		_ = json.Unmarshal(view, &v)
		return v.Applied
	},
}

// orders have the ids of profiles. Their bodies name the status that the app gives them, so
// that package history, which knows no kind, expects what is answered.
var orders = kind{
	name: "order", path: "orders/",
	patch: func(name string) string { return fmt.Sprintf(`{"customer":%q}`, name) },
	same:  func(n int) string { return order("same", n) },
	put:   order,
	applied: func(view json.RawMessage) map[string]int64 {
		var v struct {
			History []struct {
				Event string `json:"event"`
			} `json:"history"`
		}
		_ = json.Unmarshal(view, &v)
		counts := map[string]int64{}
		for _, step := range v.History {
			counts[step.Event]++
		}
		return counts
	},
}

func order(customer string, n int) string {
	return fmt.Sprintf(`{"customer":%q,"lines":[{"sku":"a","quantity":%d,"cents":100}],"status":"open"}`, customer, n+1)
}

// buyer is a client with orders instead of profiles.
func (w *world) buyer(n int) *client {
	c := w.client(n)
	c.kind = &orders
	return c
}

// kindOf is the kind that a key begins with; nil for one that no client has asked about.
func kindOf(key string) *kind {
	name, _, _ := strings.Cut(key, ":")
	for _, k := range []*kind{&profiles, &orders} {
		if k.name == name {
			return k
		}
	}
	return nil
}

// path is where the API has an entity.
func path(key string) string {
	_, id, _ := strings.Cut(key, ":")
	return kindOf(key).path + id
}
