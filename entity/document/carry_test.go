package document

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// house is what this version of an app knows.
type house struct {
	A int             `json:"a,omitempty"`
	B int             `json:"b,omitempty"`
	M map[string]int  `json:"m,omitempty"`
	O part            `json:"o,omitzero"`
	P *part           `json:"p,omitempty"`
	L []part          `json:"l,omitempty"`
	D map[string]part `json:"d,omitempty"`
	X any             `json:"x,omitempty"`
}

type part struct {
	A int   `json:"a,omitempty"`
	O *part `json:"o,omitempty"`
	L []int `json:"l,omitempty"`
}

// TestCarry: stored, what the type knows of it, the new value, the new document.
func TestCarry(t *testing.T) {
	t.Parallel()
	for name, c := range map[string][4]string{
		"nothing unknown":            {`{"a":1}`, `{"a":1}`, `{"a":2}`, `{"a":2}`},
		"unknown beside":             {`{"a":1,"new":true}`, `{"a":1}`, `{"a":2}`, `{"a":2,"new":true}`},
		"unknown within":             {`{"o":{"a":1,"new":[1]}}`, `{"o":{"a":1}}`, `{"o":{"a":2}}`, `{"o":{"a":2,"new":[1]}}`},
		"within a pointer":           {`{"p":{"a":1,"new":[1]}}`, `{"p":{"a":1}}`, `{"p":{"a":2}}`, `{"p":{"a":2,"new":[1]}}`},
		"the pointer is gone":        {`{"p":{"a":1,"new":[1]},"b":1}`, `{"p":{"a":1},"b":1}`, `{"b":1}`, `{"b":1}`},
		"the struct is zero":         {`{"o":{"a":1,"new":[1]},"b":1}`, `{"o":{"a":1},"b":1}`, `{"b":1}`, `{"b":1,"o":{"new":[1]}}`},
		"it was zero":                {`{"o":{"new":[1]}}`, `{}`, `{"o":{"a":1}}`, `{"o":{"a":1,"new":[1]}}`},
		"a known one is gone":        {`{"a":1,"b":2,"new":3}`, `{"a":1,"b":2}`, `{"b":2}`, `{"b":2,"new":3}`},
		"a zero that was written":    {`{"a":0,"new":3}`, `{}`, `{"b":2}`, `{"b":2,"new":3}`},
		"one comes":                  {`{"new":3}`, `{}`, `{"a":1}`, `{"a":1,"new":3}`},
		"no change":                  {`{"a":1,"new":true}`, `{"a":1}`, `{"a":1}`, `{"a":1,"new":true}`},
		"written otherwise":          {`{ "b": 2, "a": 1 }`, `{"a":1,"b":2}`, `{"a":3,"b":2}`, `{"a":3,"b":2}`},
		"big numbers stay":           {`{"a":1,"new":12345678901234567890}`, `{"a":1}`, `{"a":2}`, `{"a":2,"new":12345678901234567890}`},
		"brackets and ampersands":    {`{"a":1,"new":"<&>"}`, `{"a":1}`, `{"a":2}`, `{"a":2,"new":"<&>"}`},
		"an entry of a map is gone":  {`{"m":{"x":1,"y":2},"new":0}`, `{"m":{"x":1,"y":2}}`, `{"m":{"y":2}}`, `{"m":{"y":2},"new":0}`},
		"within a map":               {`{"d":{"x":{"a":1,"new":0}}}`, `{"d":{"x":{"a":1}}}`, `{"d":{"x":{"a":2}}}`, `{"d":{"x":{"a":2,"new":0}}}`},
		"a list that is not touched": {`{"a":1,"l":[{"a":1,"new":2}]}`, `{"a":1,"l":[{"a":1}]}`, `{"a":2,"l":[{"a":1}]}`, `{"a":2,"l":[{"a":1,"new":2}]}`},
		"a list that grows":          {`{"l":[{"a":1,"new":2}]}`, `{"l":[{"a":1}]}`, `{"l":[{"a":1},{"a":3}]}`, `{"l":[{"a":1,"new":2},{"a":3}]}`},
		"elements that move":         {`{"l":[{"a":1,"new":1},{"a":2,"new":2}]}`, `{"l":[{"a":1},{"a":2}]}`, `{"l":[{"a":2},{"a":1}]}`, `{"l":[{"a":2,"new":2},{"a":1,"new":1}]}`},
		"twins keep their order":     {`{"l":[{"a":1,"new":1},{"a":1,"new":2}]}`, `{"l":[{"a":1},{"a":1}]}`, `{"l":[{"a":1},{"a":1},{"a":1}]}`, `{"l":[{"a":1,"new":1},{"a":1,"new":2},{"a":1}]}`},
		"a twin that changes":        {`{"l":[{"a":1,"new":1},{"a":1,"new":2}]}`, `{"l":[{"a":1},{"a":1}]}`, `{"l":[{"a":2},{"a":1}]}`, `{"l":[{"a":2},{"a":1,"new":2}]}`},
		"an element that changes":    {`{"l":[{"a":1,"new":2},{"a":3,"new":4}]}`, `{"l":[{"a":1},{"a":3}]}`, `{"l":[{"a":2},{"a":3}]}`, `{"l":[{"a":2},{"a":3,"new":4}]}`},
		"what is any is taken":       {`{"x":{"y":1},"new":1}`, `{"x":{"y":1}}`, `{"x":{"z":1}}`, `{"new":1,"x":{"z":1}}`},
	} {
		got, err := Carry[house]([]byte(c[0]), []byte(c[1]), []byte(c[2]))
		require.NoError(t, err, name)
		require.JSONEq(t, c[3], string(got), name)
	}
	_, err := Carry[house]([]byte(`no`), []byte(`{}`), []byte(`{}`))
	require.Error(t, err)
}
