package document

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/test/linear"
)

// open has parts that no type describes.
type open struct {
	Any  any                        `json:"any,omitempty"`
	Raw  json.RawMessage            `json:"raw,omitempty"`
	Own  *itself                    `json:"own,omitempty"`
	Map  map[string]json.RawMessage `json:"map,omitempty"`
	Num  json.Number                `json:"num,omitempty"`
	List []any                      `json:"list,omitempty"`
	Self map[string]*open           `json:"self,omitempty"`
	Text string                     `json:"text,omitempty"`
}

type itself struct{ text string }

func (i *itself) UnmarshalJSON(text []byte) error { i.text = string(text); return nil }
func (i *itself) MarshalJSON() ([]byte, error)    { return []byte(i.text), nil }

func decodeOpen(text string) error {
	var faults Faults
	if _, err := Decode[open]([]byte(text), &faults); err != nil {
		return err
	}
	return faults.Err()
}

func TestUntypedPartsAreLookedInto(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		`{"any":{"x":1,"x":2}}`:                    &DuplicateFieldError{Position{14, 1, 15}, "any.x"},
		`{"raw": [{}, {"x":{"y":1 ,"\u0079":2}}]}`: &DuplicateFieldError{Position{26, 1, 27}, "raw[1].x.y"},
		`{"own":{"x":1,"x":2}}`:                    &DuplicateFieldError{Position{14, 1, 15}, "own.x"},
		`{"map":{"k":{"":1,"":2}}}`:                &DuplicateFieldError{Position{18, 1, 19}, "map.k."},
		`{"list":[1,{"x":"}","x":2}]}`:             &DuplicateFieldError{Position{20, 1, 21}, "list[1].x"},
	} {
		require.Equal(t, want, decodeOpen(text), text)
		require.Equal(t, want, CheckPatch[open]([]byte(text)), text)
	}
	const down = 32
	deepest := strings.Repeat("[", down) + strings.Repeat("]", down)
	for text, want := range map[string]string{
		`{"any":1e999}`:              "any must be a number that fits into a double",
		`{"raw":{"a":[0,-1e999]}}`:   "raw.a[1] must be a number that fits into a double",
		`{"num":1e999}`:              "num must be a number that fits into a double",
		`{"any":[` + deepest + `]}`:  "any" + strings.Repeat("[0]", down) + " nests deeper than 32 levels",
		`{"raw":[` + deepest + `]}`:  "raw" + strings.Repeat("[0]", down) + " nests deeper than 32 levels",
		`{"own":[` + deepest + `]}`:  "own" + strings.Repeat("[0]", down) + " nests deeper than 32 levels",
		`{"list":[` + deepest + `]}`: "list" + strings.Repeat("[0]", down) + " nests deeper than 32 levels",
	} {
		require.EqualError(t, decodeOpen(text), want)
		require.NoError(t, CheckPatch[open]([]byte(text)), "a value is looked at when it is merged")
	}
	for _, text := range []string{
		`{"any":` + deepest + `}`, `{"raw": {"a":{"x":1},"b":{"x":1}} }`, `{"any":12345678901234567890,"num":12345678901234567890,"raw":1e-999}`, ` {"any" : "\"}" } `,
	} {
		require.NoError(t, decodeOpen(text))
		require.NoError(t, CheckPatch[open]([]byte(text)))
	}
}

// TestNoShapeTakesLong: what a client may send is read in time in its length.
func TestNoShapeTakesLong(t *testing.T) {
	t.Parallel()
	const size = 8 << 10
	small := bodies(size)
	large := bodies(linear.Times * size)
	for name := range small {
		linear.Check(t, name, size, func(of int) func() {
			text := large[name]
			if of == size {
				text = small[name]
			}
			return func() {
				_ = decodeOpen(text)
				_ = CheckPatch[open]([]byte(text))
			}
		})
	}
}

// bodies are some of a size, or as deep as they may be.
func bodies(size int) map[string]string {
	many := func(part string) string {
		return strings.TrimSuffix(strings.Repeat(part+",", size/(len(part)+1)), ",")
	}
	var names strings.Builder
	for i := 0; names.Len() < size; i++ {
		fmt.Fprintf(&names, `"n%d":0,`, i)
	}
	inputs := map[string]string{}
	for _, field := range []string{"any", "raw", "own"} {
		maps.Copy(inputs, map[string]string{
			field + " deep":            `{"` + field + `":` + strings.Repeat("[", 9990) + strings.Repeat("]", 9990) + `}`,
			field + " deep and wide":   `{"` + field + `":` + strings.Repeat("[", 31) + many("[[[]]]") + strings.Repeat("]", 31) + `}`,
			field + " many names":      `{"` + field + `":{` + strings.TrimSuffix(names.String(), ",") + `}}`,
			field + " many objects":    `{"` + field + `":[` + many(`{"a":{}}`) + `]}`,
			field + " many numbers":    `{"` + field + `":[` + many("1e999") + `]}`,
			field + " an escaped name": `{"` + field + `":{"` + strings.Repeat(`\u0041`, size/6) + `":1}}`,
		})
	}
	inputs["many untyped"] = `{"list":[` + many("[0]") + `]}`
	inputs["many entries"] = `{"map":{` + strings.TrimSuffix(names.String(), ",") + `}}`
	inputs["typed and deep"] = strings.Repeat(`{"self":{"k":`, 15) + `{"list":[` + many("[0]") + `]}` + strings.Repeat(`}}`, 15)
	return inputs
}
