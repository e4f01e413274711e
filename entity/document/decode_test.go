package document

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// person has a bit of everything.
type person struct {
	DisplayName string            `json:"displayName"`
	Bio         string            `json:"bio,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	Age         *int8             `json:"age,omitempty"`
	Score       float64           `json:"score,omitempty"`
	Big         uint64            `json:"big,omitempty"`
	Born        time.Time         `json:"born,omitzero"`
	Homes       []home            `json:"homes,omitempty"`
	Raw         json.RawMessage   `json:"raw,omitempty"`
	Known       bool              `json:"known,omitempty"`
	*Embedded
	Friend *person `json:"friend,omitempty"`
}

type home struct {
	City string `json:"city"`
	Rent int64  `json:"rent,omitempty"`
}

// Embedded is as if its fields were the outer struct's.
type Embedded struct {
	Nick string `json:"nick,omitempty"`
}

func decodeOnly(data []byte) error {
	var faults Faults
	if _, err := Decode[person](data, &faults); err != nil {
		return err
	}
	return faults.Err()
}

func TestDecodeSaysWhereTheTextStopsBeingJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text   string
		at     Position
		reason string
	}{
		"empty":             {"", Position{0, 1, 1}, "unexpected end"},
		"only space":        {" \n", Position{2, 2, 1}, "unexpected end"},
		"cut short":         {`{"displayName":"Ada"`, Position{20, 1, 21}, "unexpected end"},
		"wrong in line 3":   {"{\n\"displayName\": \"Ä\",\n  oops}", Position{25, 3, 3}, "'o'"},
		"column in chars":   {`{"displayName":"Ä😀" x}`, Position{24, 1, 21}, "'x'"},
		"last byte":         {`{"displayName":"Ada"]`, Position{20, 1, 21}, "']'"},
		"trailing comma":    {`{"displayName":"Ada",}`, Position{21, 1, 22}, "'}'"},
		"second document":   {`{"displayName":"Ada"} {}`, Position{22, 1, 23}, "after top-level value"},
		"byte order mark":   {"\ufeff{}", Position{0, 1, 1}, "invalid character"},
		"invalid UTF-8":     {"{\"displayName\":\"a\xff\"}", Position{17, 1, 18}, "invalid UTF-8"},
		"lone surrogate":    {`{"displayName":"a\ud800b"}`, Position{17, 1, 18}, "surrogate"},
		"swapped pair":      {`{"displayName":"\\\udc00\ud800"}`, Position{18, 1, 19}, "surrogate"},
		"raw control":       {"{\"displayName\":\"a\x01\"}", Position{17, 1, 18}, "in string literal"},
		"bad escape":        {`{"displayName":"\q"}`, Position{17, 1, 18}, "escape"},
		"nested in unknown": {`{"bio":[1,}`, Position{10, 1, 11}, "'}'"},
		"too deep":          {strings.Repeat("[", 20_000), Position{10_000, 1, 10_001}, "depth"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, decode := range []func([]byte) error{CheckPatch[person], decodeOnly} {
				var syntax *SyntaxError
				require.ErrorAs(t, decode([]byte(c.text)), &syntax)
				require.Equal(t, c.at, syntax.Position)
				require.Contains(t, syntax.Reason, c.reason)
			}
		})
	}
}

func TestDecodeRefusesNamesItCannotTrust(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"unknown":      {`{"displayName":"A", "years":3}`, &UnknownFieldError{Position{20, 1, 21}, "years", ""}},
		"other case":   {`{"DisplayName":"A"}`, &UnknownFieldError{Position{1, 1, 2}, "DisplayName", "displayName"}},
		"unknown null": {`{"e-mail":null}`, &UnknownFieldError{Position{1, 1, 2}, "e-mail", ""}},
		"escaped":      {`{"\u0062io":"", "bio":""}`, &DuplicateFieldError{Position{16, 1, 17}, "bio"}},
		"twice":        {"{\"bio\":\"a\",\n\t\"bio\":\"a\"}", &DuplicateFieldError{Position{13, 2, 2}, "bio"}},
		"attribute":    {`{"attributes": {"a":"1" , "a":"2"}}`, &DuplicateFieldError{Position{26, 1, 27}, "attributes.a"}},
		"long, shortened": {`{"` + strings.Repeat("é", 100) + `":1}`,
			&UnknownFieldError{Position{1, 1, 2}, strings.Repeat("é", 64) + "…", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, CheckPatch[person]([]byte(c.text)))
			require.Equal(t, c.want, decodeOnly([]byte(c.text)))
		})
	}
}

func TestCheckPatchLeavesValuesToTheMerge(t *testing.T) {
	t.Parallel()
	for _, patch := range []string{`{}`, `{"displayName":null}`, `{"attributes":{"a":null,"b":{}}}`, `{"attributes":7}`, `[]`, `null`} {
		require.NoError(t, CheckPatch[person]([]byte(patch)))
	}
}

func TestDecodeReadsEveryForm(t *testing.T) {
	t.Parallel()
	var faults Faults
	p, err := Decode[person]([]byte(`{"displayName":"Ada","age":36,"score":-1.5e2,"big":9007199254740991,"born":"1815-12-10T00:00:00Z",
		"homes":[{"city":"London","rent":-3},{"city":"Paris"}],"raw":{"any":[1,"x"]},"known":true,"nick":"A","friend":{"displayName":"Mary","age":null}}`), &faults)
	require.NoError(t, err)
	require.NoError(t, faults.Err())
	require.EqualValues(t, 36, *p.Age)
	require.InDelta(t, -150, p.Score, 0)
	require.EqualValues(t, 1<<53-1, p.Big)
	require.Equal(t, 1815, p.Born.Year())
	require.Equal(t, []home{{"London", -3}, {"Paris", 0}}, p.Homes)
	require.JSONEq(t, `{"any":[1,"x"]}`, string(p.Raw))
	require.Equal(t, "A", p.Nick)
	require.Equal(t, "Mary", p.Friend.DisplayName)
	require.Nil(t, p.Friend.Age)
}

func TestDecodeNamesTheFaultsOfEveryForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[]`:                                    "$ must be an object, not an array",
		`{"displayName":7}`:                     "displayName must be a string, not a number",
		`{"displayName":null}`:                  "displayName must be a string, not null",
		`{"attributes":["a"]}`:                  "attributes must be an object of strings, not an array",
		`{"attributes":{"a":1}}`:                "attributes.a must be a string, not a number",
		`{"age":128}`:                           "age must be a whole number from -128 to 127",
		`{"age":1.5}`:                           "age must be a whole number from -128 to 127",
		`{"age":1e1}`:                           "age must be a whole number from -128 to 127",
		`{"age":"7"}`:                           "age must be a number, not a string",
		`{"big":9007199254740992}`:              "big must be a whole number from 0 to 9007199254740991",
		`{"big":-1}`:                            "big must be a whole number from 0 to 9007199254740991",
		`{"score":1e999}`:                       "score must be a number that fits into a double",
		`{"born":"yesterday"}`:                  "born must be a time like 2006-01-02T15:04:05Z",
		`{"born":7}`:                            "born must be a time like 2006-01-02T15:04:05Z",
		`{"homes":{"city":"x"}}`:                "homes must be an array, not an object",
		`{"homes":[{"city":"x"},{"city":1}]}`:   "homes[1].city must be a string, not a number",
		`{"homes":[{"rent":9007199254740992}]}`: "homes[0].rent must be a whole number from -9007199254740991 to 9007199254740991",
		`{"known":"yes"}`:                       "known must be a boolean, not a string",
		`{"nick":false,"friend":{"age":[]}}`:    "nick must be a string, not a boolean; friend.age must be a number, not an array",
		strings.Repeat(`{"friend":`, 40) + `{}` + strings.Repeat(`}`, 40): strings.Repeat("friend.", 32) + "friend nests deeper than 32 levels",
	} {
		require.EqualError(t, decodeOnly([]byte(text)), want, text)
	}
}

func TestNamesAreLookedAtInEveryDepth(t *testing.T) {
	t.Parallel()
	for text, field := range map[string]string{
		`{"homes":[{"city":"x","town":"y"}]}`: "homes[0].town", `{"friend":{"friend":{"nik":1}}}`: "friend.friend.nik",
	} {
		var unknown *UnknownFieldError
		require.ErrorAs(t, decodeOnly([]byte(text)), &unknown, text)
		require.Equal(t, field, unknown.Field)
	}
	var unknown *UnknownFieldError
	require.ErrorAs(t, CheckPatch[person]([]byte(`{"friend":{"friend":{"nik":null}}}`)), &unknown)
	require.ErrorAs(t, CheckPatch[person]([]byte(`{"homes":[{"city":"x"},{"town":null}]}`)), &unknown)
	require.Equal(t, 24, unknown.Offset)
	var twice *DuplicateFieldError
	require.ErrorAs(t, decodeOnly([]byte(`{"homes":[{"city":"x","city":"y"}]}`)), &twice)
}

func TestOneAnswerDoesNotListThousands(t *testing.T) {
	t.Parallel()
	parts := make([]string, 5000)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"k%d":1`, i)
	}
	var invalid *InvalidError
	require.ErrorAs(t, decodeOnly([]byte(`{"displayName":"A","attributes":{`+strings.Join(parts, ",")+`}}`)), &invalid)
	require.Len(t, invalid.Fields, maxFaults+1)
	require.Equal(t, FieldError{"$", "has more faults than are listed"}, invalid.Fields[maxFaults])
}

func TestCheckSaysWhichTypesCannotBeKept(t *testing.T) {
	t.Parallel()
	require.NoError(t, Check[person]())
	require.Equal(t, []string{"displayName", "bio", "attributes", "age", "score", "big", "born", "homes", "raw", "known", "nick", "friend"}, Members[person]())
	for name, err := range map[string]error{
		"not a struct": Check[map[string]string](),
		"a channel":    Check[struct{ C chan int }](),
		"int keys":     Check[struct{ M map[int]string }](),
		"string tag": Check[struct {
			N int `json:",string"`
		}](),
		"interface": Check[struct{ E error }](),
	} {
		require.Error(t, err, name)
	}
}

// FuzzDecode: whatever comes in, a refusal points into the text, and what is accepted
// survives its encoding, and is what Read makes of it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"displayName":"Ada","attributes":{"a":"b"},"homes":[{"city":"x"}]}`, `{"displayName":"\ud83d\ude00"}`, `{"displayName":"\ud83d"}`,
		`{"age":1,"bio":[{"a":2}],"born":null}`, "{\"bio\":\"\xff\"}", `{"a":1,"a":2}`, ` 1e5 `, `{`, `{"friend":{"friend":{"raw":[{}]}}}`, `{"raw":{"a":[1e999],"a":1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var faults Faults
		read, readErr := Read[person](data)
		p, err := Decode[person](data, &faults)
		switch e := err.(type) {
		case nil:
		case *SyntaxError:
			require.Equal(t, positionOf(data, e.Offset), e.Position)
			return
		case *UnknownFieldError:
			require.Equal(t, positionOf(data, e.Offset), e.Position)
			return
		case *DuplicateFieldError:
			require.Equal(t, positionOf(data, e.Offset), e.Position)
			return
		default:
			t.Fatalf("unknown error %T", err)
		}
		if faults.Err() != nil {
			return
		}
		require.NoError(t, CheckPatch[person](data))
		require.NoError(t, readErr)
		require.Equal(t, p, read)
		text, err := Encode(p)
		require.NoError(t, err)
		again, err := Decode[person](text, &faults)
		require.NoError(t, err)
		require.NoError(t, faults.Err())
		same, err := Encode(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(same))
	})
}
