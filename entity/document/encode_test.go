package document

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// roomy has whatever may be nil, at several depths.
type roomy struct {
	embedded
	Tags   []string            `json:"tags"`
	Meta   map[string][]string `json:"meta"`
	Parts  []roomy             `json:"parts,omitempty"`
	Zero   []string            `json:"zero,omitzero"`
	Inner  inner               `json:"inner,omitzero"`
	Own    ownZero             `json:"own,omitzero"`
	Next   *roomy              `json:"next,omitempty"`
	None   *roomy              `json:"none"`
	Pair   [2][]int            `json:"pair"`
	Bytes  []byte              `json:"bytes"`
	Raw    json.RawMessage     `json:"raw"`
	Any    any                 `json:"any"`
	Hidden []string            `json:"-"`
}

type embedded struct {
	Low []int `json:"low"`
}

type inner struct {
	L []int `json:"l"`
}

// ownZero says itself when it is zero.
type ownZero struct {
	L []int `json:"l"`
	N int   `json:"-"`
}

func (o ownZero) IsZero() bool { return o.L == nil }

func TestEncodePrintsWhatDecodeTakes(t *testing.T) {
	t.Parallel()
	const empty = `{"low":[],"tags":[],"meta":{},"none":null,"pair":[[],[]],"bytes":null,"raw":null,"any":null}`
	part := `{"low":[],"tags":[],"meta":{},"next":` + empty + `,"none":null,"pair":[[],[]],"bytes":null,"raw":null,"any":null}`
	for name, c := range map[string]struct {
		v    any
		want string
	}{
		"all nil":      {roomy{}, empty},
		"of a pointer": {&roomy{}, empty},
		"deep":         {roomy{Parts: []roomy{{Next: &roomy{}}}}, `{"low":[],"tags":[],"meta":{},"parts":[` + part + `],"none":null,"pair":[[],[]],"bytes":null,"raw":null,"any":null}`},
		"entries":      {map[string][]string{"a": nil, "b": {"<&>"}}, `{"a":[],"b":["<&>"]}`},
		"omitzero":     {struct{ Own ownZero }{ownZero{N: 1}}, `{"Own":{"l":[]}}`},
		"omitzero, own": {struct {
			Own ownZero `json:",omitzero"`
		}{ownZero{N: 1}}, `{}`},
		"within any":     {map[string]any{"a": roomy{}.Tags, "b": nil, "c": []any{map[string]int(nil)}}, `{"a":[],"b":null,"c":[{}]}`},
		"a list":         {[]string(nil), `[]`},
		"nothing":        {nil, `null`},
		"a nil pointer":  {(*roomy)(nil), `null`},
		"pointer to nil": {struct{ L *[]int }{new([]int)}, `{"L":[]}`},
		"writes itself":  {[]any{time.Time{}, lister{}}, `["0001-01-01T00:00:00Z",[]]`},
	} {
		text, err := Encode(c.v)
		require.NoError(t, err, name)
		require.Equal(t, c.want, string(text), name)
	}

	var faults Faults
	_, err := Decode[roomy]([]byte(empty), &faults)
	require.NoError(t, err)
	require.NoError(t, faults.Err())
}

func TestEncodeLeavesTheValueAlone(t *testing.T) {
	t.Parallel()
	v := roomy{Parts: []roomy{{Next: &roomy{}}}, Meta: map[string][]string{"a": nil}, Any: []any{[]int(nil)}}
	_, err := Encode(&v)
	require.NoError(t, err)
	require.Equal(t, roomy{Parts: []roomy{{Next: &roomy{}}}, Meta: map[string][]string{"a": nil}, Any: []any{[]int(nil)}}, v)

	round := &roomy{}
	round.Next = round
	_, err = Encode(round)
	require.ErrorContains(t, err, "cycle")
}

// TestWhatIsEncodedIsDecoded: any person within the documented ranges survives.
func TestWhatIsEncodedIsDecoded(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		text, err := Encode(randomPerson(rng, rng.IntN(4)))
		require.NoError(t, err)
		var faults Faults
		got, err := Decode[person](text, &faults)
		require.NoError(t, err, "seed %d: %s", seed, text)
		require.NoError(t, faults.Err(), "seed %d: %s", seed, text)
		again, err := Encode(got)
		require.NoError(t, err)
		require.Equal(t, string(text), string(again), "seed %d", seed)
	}
}

func randomPerson(rng *rand.Rand, friends int) person {
	p := person{DisplayName: strconv.Itoa(rng.Int()), Score: rng.NormFloat64(), Big: rng.Uint64N(maxWhole + 1), Known: rng.IntN(2) == 0}
	if rng.IntN(2) == 0 {
		p.Attributes = map[string]string{"<" + p.DisplayName: "\u2028&"}
		p.Age = new(int8(rng.IntN(256) - 128))
		p.Born = time.Unix(rng.Int64N(1<<32), 0).UTC()
		p.Embedded = &Embedded{Nick: "n"}
	}
	if rng.IntN(2) == 0 {
		p.Homes = make([]home, rng.IntN(3))
		p.Raw = json.RawMessage(`{"a":[1,null]}`)
	}
	if friends > 0 {
		p.Friend = new(randomPerson(rng, friends-1))
	}
	return p
}
