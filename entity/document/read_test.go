package document

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadIsLenientButForCase(t *testing.T) {
	t.Parallel()
	type note struct {
		Note  string         `json:"note"`
		Tags  []string       `json:"tags"`
		Meta  map[string]int `json:"meta"`
		Pair  [2]int         `json:"pair"`
		Inner *note          `json:"inner"`
		Raw   json.RawMessage
		Any   any
		named
	}
	for text, want := range map[string]note{
		`{"note":"a","NOTE":"b","Note":7}`:                                           {Note: "a"},
		`{"NOTE":"b","note":"a","new":{"note":["x"]}}`:                               {Note: "a"},
		`{"inner":{"NOTE":"b","inner":{"note":"a"}}}`:                                {Inner: &note{Inner: &note{Note: "a"}}},
		`{"note":null,"tags":null,"meta":null,"pair":null,"inner":null,"name":null}`: {},
		`null`:                              {},
		` { "tags" : [ ] , "meta" : { } } `: {Tags: []string{}, Meta: map[string]int{}},
		`{"tags":["a",null,"b"],"meta":{"a":null,"A":1}}`: {Tags: []string{"a", "", "b"}, Meta: map[string]int{"a": 0, "A": 1}},
		`{"\u006eote":"\ud83d\ude00\n"}`:                  {Note: "😀\n"},
		`{"Raw": {"a" : 1} ,"Any":{"a":[null]}}`:          {Raw: json.RawMessage(`{"a" : 1}`), Any: map[string]any{"a": []any{nil}}},
		`{"Raw":null,"Any":null}`:                         {Raw: json.RawMessage(`null`)},
		`{"inner":{"note":"a"},"inner":{"name":"b"}}`:     {Inner: &note{named: named{"b"}}},
		`{"pair":[1,2],"pair":[3,9007199254740993]}`:      {Pair: [2]int{3, 9007199254740993}},
	} {
		got, err := Read[note]([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestReadNamesTheMemberOfAWrongType(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[]`:                                  "$ must be an object, not an array",
		`{"homes":[{"city":"x"},{"city":1}]}`: "homes[1].city must be a string, not a number",
		`{"homes":[7]}`:                       "homes[0] must be an object, not a number",
		`{"attributes":{"a":1}}`:              "attributes.a must be a string, not a number",
		`{"friend":{"age":1.5}}`:              "friend.age must be a whole number that fits into int8",
		`{"age":128}`:                         "age must be a whole number that fits into int8",
		`{"big":-1}`:                          "big must be a whole number that fits into uint64",
		`{"score":1e999}`:                     "score must be a number that fits into float64",
		`{"born":"now"}`:                      "born must be a time like 2006-01-02T15:04:05Z",
		`{"known":"yes"}`:                     "known must be a boolean, not a string",
		`{"known":tru}`:                       "invalid character '}' in literal true (expecting 'e')",
		``:                                    "unexpected end of JSON input",
		`{} {}`:                               "invalid character '{' after top-level value",
	} {
		got, err := Read[person]([]byte(text))
		require.EqualError(t, err, want, text)
		require.Zero(t, got, "nothing is half read")
	}
	_, err := Read[struct{ P [2]int }]([]byte(`{"P":[1,2,3]}`))
	require.EqualError(t, err, "P must have 2 elements, not 3")
	_, err = Read[struct{ C chan int }]([]byte(`{}`))
	require.Error(t, err)
}

// TestReadAgreesWithEncodingJSON where names do not differ in case only.
func TestReadAgreesWithEncodingJSON(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		text, err := Encode(randomPerson(rng, rng.IntN(4)))
		require.NoError(t, err)
		agrees(t, text)
	}
}

// agrees compares Read with json.Unmarshal, and with Decode if that takes the text.
func agrees(t *testing.T, text []byte) {
	t.Helper()
	var want person
	require.NoError(t, json.Unmarshal(text, &want))
	got, err := Read[person](text)
	require.NoError(t, err, "%s", text)
	require.Equal(t, want, got, "%s", text)
	var faults Faults
	decoded, err := Decode[person](text, &faults)
	require.NoError(t, err)
	require.Equal(t, decoded, got)
}

func BenchmarkRead(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := randomPerson(rng, 3)
	p.Bio = strings.Repeat("words of a life ", 20)
	p.Homes = make([]home, 20)
	text, err := Encode(p)
	require.NoError(b, err)
	b.Run("Read", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			_, _ = Read[person](text)
		}
	})
	b.Run("Unmarshal", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var p person
			_ = json.Unmarshal(text, &p)
		}
	})
}
