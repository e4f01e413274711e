package profile_test

import (
	"encoding/json"
	"fmt"

	"github.com/relaybox/relaybox/profile"
)

// What a client sends is decoded once, strictly; every bad field is named at once.
func ExampleDecode() {
	_, err := profile.Decode([]byte(`{"displayName":"","email":"nobody","attributes":{"shoe size":"42"}}`))
	fmt.Println(err)

	_, err = profile.Decode([]byte("{\n  \"displayName\": \"Ada\",\n  \"Email\": \"ada@example.com\"\n}"))
	fmt.Println(err)

	_, err = profile.Decode([]byte(`{"displayName":"Ada",}`))
	fmt.Println(err)
	// Output:
	// displayName is required; email must be an e-mail address like ada@example.com; attributes.shoe size must have a key of 1 to 64 letters, digits, '.', '_' and '-'
	// line 3, column 3: unknown field "Email", did you mean "email"
	// line 1, column 22: invalid character '}' looking for beginning of object key string
}

// One change may make several events, and a change of nothing makes none.
func ExampleChanges() {
	ada := &profile.Profile{DisplayName: "Ada", Email: "ada@example.com"}
	moved := &profile.Profile{DisplayName: "Ada", Email: "ada@example.org"}
	for _, step := range [][2]*profile.Profile{{nil, ada}, {ada, ada}, {ada, moved}, {moved, nil}} {
		for _, e := range profile.Changes("p-1", step[0], step[1]) {
			data, _ := json.Marshal(e.Data)
			fmt.Println(e.Type, string(data))
		}
	}
	// Output:
	// relaybox.profile.created {"id":"p-1","displayName":"Ada","email":"ada@example.com"}
	// relaybox.profile.updated {"id":"p-1","displayName":"Ada","email":"ada@example.org"}
	// relaybox.profile.email-changed {"id":"p-1","displayName":"Ada","email":"ada@example.org","oldEmail":"ada@example.com","newEmail":"ada@example.org"}
	// relaybox.profile.deleted {"id":"p-1"}
}

// A consumer folds events into its view. Every event carries the whole state, so one
// that was missed is made good by the next.
func ExampleApply() {
	var view profile.View
	for _, e := range profile.Changes("p-1", nil, &profile.Profile{DisplayName: "Ada"}) {
		view, _ = profile.Apply(view, e)
	}
	text, _ := json.Marshal(view)
	fmt.Println(string(text))
	// Output:
	// {"id":"p-1","profile":{"displayName":"Ada"},"applied":{"relaybox.profile.created":1}}
}
