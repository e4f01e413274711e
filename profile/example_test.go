package profile_test

import (
	"fmt"

	"github.com/relaybox/relaybox/profile"
)

// What a client sends is decoded once, strictly; every bad field is named at once.
func Example() {
	_, err := profile.Kind.Decode([]byte(`{"displayName":"","email":"nobody","attributes":{"shoe size":"42"}}`))
	fmt.Println(err)

	_, err = profile.Kind.Decode([]byte("{\n  \"displayName\": \"Ada\",\n  \"Email\": \"ada@example.com\"\n}"))
	fmt.Println(err)

	_, err = profile.Kind.Decode([]byte(`{"displayName":"Ada",}`))
	fmt.Println(err)
	// Output:
	// displayName is required; email must be an e-mail address like ada@example.com; attributes.shoe size must have a key of 1 to 64 letters, digits, '.', '_' and '-'
	// line 3, column 3: unknown field "Email", did you mean "email"
	// line 1, column 22: invalid character '}' looking for beginning of object key string
}
