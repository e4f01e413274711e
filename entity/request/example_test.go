package request_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/relaybox/relaybox/entity/request"
	"github.com/relaybox/relaybox/outbox"
)

// A function of one's own takes a request apart like those of package entity.
func Example() {
	r := httptest.NewRequest("PUT", "/lamps/hall", strings.NewReader(`{"watts":40}`))
	r.SetPathValue("id", "hall")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", `"k-1"`)

	id, err := request.ID(r)
	fmt.Println(id, err)
	key, err := request.IdempotencyKey(r.Header)
	fmt.Println(key, err)
	body, err := request.Body(r, "application/json")
	fmt.Println(string(body), err)
	// Output:
	// hall <nil>
	// k-1 <nil>
	// {"watts":40} <nil>
}

// A condition that does not hold is a problem.
func ExampleConditions() {
	r := httptest.NewRequest("PUT", "/lamps/hall", nil)
	r.Header.Set("If-Match", `"1-abc"`)
	conditions, err := request.ParseConditions(r.Header)
	fmt.Println(err)

	lamp := outbox.Entity{Key: "lamp:hall", Version: 1, Incarnation: outbox.Incarnation{ID: "abc", First: 1, Since: time.Unix(0, 0)}, Data: []byte(`{}`)}
	fmt.Println(request.Tag(lamp), conditions.Met(lamp))
	lamp.Version = 2
	fmt.Println(request.Tag(lamp), conditions.Met(lamp))
	// Output:
	// <nil>
	// "1-abc" <nil>
	// "2-abc" The entity is at another version: If-Match does not allow the version "2-abc".
}
