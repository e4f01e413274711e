package document_test

import (
	"fmt"

	"github.com/relaybox/relaybox/entity/document"
)

type lamp struct {
	Room  string `json:"room"`
	Watts int    `json:"watts,omitempty"`
}

// Everything that is wrong with the types is named at once, a misspelt name with its place.
func ExampleDecode() {
	var faults document.Faults
	l, err := document.Decode[lamp]([]byte(`{"room":"hall","watts":40}`), &faults)
	fmt.Println(l, err, faults.Err())

	_, err = document.Decode[lamp]([]byte(`{"room":7,"watts":"many"}`), &faults)
	fmt.Println(err, faults.Err())

	_, err = document.Decode[lamp]([]byte(`{"room":"hall","wats":40}`), &faults)
	fmt.Println(err)
	// Output:
	// {hall 40} <nil> <nil>
	// <nil> room must be a string, not a number; watts must be a number, not a string
	// line 1, column 16: unknown field "wats"
}

// What another version has stored is read without minding what only that one knows.
func ExampleRead() {
	l, err := document.Read[lamp]([]byte(`{"room":"hall","ROOM":"of another version","watts":null}`))
	fmt.Println(l, err)

	_, err = document.Read[lamp]([]byte(`{"room":"hall","watts":"many"}`))
	fmt.Println(err)
	// Output:
	// {hall 0} <nil>
	// watts must be a number, not a string
}

// A list is a list when it is nil, so that what is stored can be decoded again.
func ExampleEncode() {
	text, err := document.Encode(struct {
		Room  string   `json:"room"`
		Lamps []lamp   `json:"lamps"`
		Notes []string `json:"notes,omitempty"`
	}{Room: "hall"})
	fmt.Println(string(text), err)
	// Output: {"room":"hall","lamps":[]} <nil>
}

// A change that an old version of a type makes keeps what only a newer one knows.
func ExampleCarry() {
	stored := []byte(`{"room":"hall","watts":40,"colour":"warm"}`)
	next, err := document.Carry[lamp](stored, []byte(`{"room":"hall","watts":40}`), []byte(`{"room":"cellar"}`))
	fmt.Println(string(next), err)
	// Output: {"colour":"warm","room":"cellar"} <nil>
}
