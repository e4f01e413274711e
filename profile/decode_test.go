package profile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecodeReadsEveryField(t *testing.T) {
	t.Parallel()
	p, err := Decode([]byte(" {\"displayName\":\"Ada \\ud83d\\ude00\",\"email\":\"ada@example.com\",\"bio\":\"a\\nb\",\n" +
		`"locale":"en-GB","attributes":{"team":"engine","x.y_z-1":""}}` + "\n"))
	require.NoError(t, err)
	require.Equal(t, Profile{
		DisplayName: "Ada 😀", Email: "ada@example.com", Bio: "a\nb", Locale: "en-GB",
		Attributes: map[string]string{"team": "engine", "x.y_z-1": ""},
	}, p)
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
			for _, decode := range []func([]byte) error{CheckPatch, decodeOnly} {
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
		"unknown":      {`{"displayName":"A", "age":3}`, &UnknownFieldError{Position{20, 1, 21}, "age", ""}},
		"other case":   {`{"DisplayName":"A"}`, &UnknownFieldError{Position{1, 1, 2}, "DisplayName", "displayName"}},
		"unknown null": {`{"e-mail":null}`, &UnknownFieldError{Position{1, 1, 2}, "e-mail", ""}},
		"escaped":      {`{"\u0062io":"", "bio":""}`, &DuplicateFieldError{Position{16, 1, 17}, "bio"}},
		"twice":        {"{\"bio\":\"a\",\n\t\"bio\":\"a\"}", &DuplicateFieldError{Position{13, 2, 2}, "bio"}},
		"attribute":    {`{"attributes": {"a":"1" , "a":"2"}}`, &DuplicateFieldError{Position{26, 1, 27}, "a"}},
		"long, shortened": {`{"` + strings.Repeat("é", 100) + `":1}`,
			&UnknownFieldError{Position{1, 1, 2}, strings.Repeat("é", 64) + "…", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, CheckPatch([]byte(c.text)))
			require.Equal(t, c.want, decodeOnly([]byte(c.text)))
		})
	}
}

func TestDecodeNamesEveryBadFieldAtOnce(t *testing.T) {
	t.Parallel()
	require.Equal(t, &InvalidError{[]FieldError{
		{"displayName", "must be a string, not null"},
		{"bio", "must be a string, not a number"},
		{"attributes.a", "must be a string, not an array"},
		{"attributes.c", "must be a string, not a boolean"},
		{"email", "must be an e-mail address like ada@example.com"},
		{"locale", "must be a language tag like en or pt-BR"},
		{"attributes.b c", "must have a key of 1 to 64 letters, digits, '.', '_' and '-'"},
	}}, decodeOnly([]byte(`{"displayName":null,"email":"nobody","bio":7,"locale":"??",
		"attributes":{"c":false,"b c":"x","a":["x"]}}`)))
}

func TestDecodeRefusesValues(t *testing.T) {
	t.Parallel()
	attributes := func(n int) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf(`"k%d":""`, i)
		}
		return `{"displayName":"A","attributes":{` + strings.Join(parts, ",") + `}}`
	}
	field := func(name, text string) string {
		if name == "displayName" {
			return fmt.Sprintf(`{"displayName":"%s"}`, text)
		}
		return fmt.Sprintf(`{"displayName":"A","%s":"%s"}`, name, text)
	}
	attribute := func(key, text string) string {
		return fmt.Sprintf(`{"displayName":"A","attributes":{"%s":"%s"}}`, key, text)
	}
	for name, c := range map[string]struct{ text, field string }{
		"array":               {`[]`, "$"},
		"null":                {`null`, "$"},
		"number":              {` 12`, "$"},
		"no name":             {`{}`, "displayName"},
		"empty name":          {field("displayName", ""), "displayName"},
		"200 characters":      {field("displayName", strings.Repeat("😀", 200)), ""},
		"201 characters":      {field("displayName", strings.Repeat("é", 201)), "displayName"},
		"name with newline":   {field("displayName", `a\nb`), "displayName"},
		"name with delete":    {field("displayName", `a\u007f`), "displayName"},
		"name with separator": {field("displayName", `a\u2028`), "displayName"},
		"email of 254":        {field("email", strings.Repeat("a", 248)+"@xy.io"), ""},
		"email of 255":        {field("email", strings.Repeat("a", 249)+"@xy.io"), "email"},
		"bio of 65536":        {field("bio", strings.Repeat("b", 65_536)), ""},
		"bio of 65537 bytes":  {field("bio", strings.Repeat("é", 32_768)+"b"), "bio"},
		"locale of 36":        {field("locale", "en-abcdefgh-abcdefgh-abcdefgh-abcdef"), "locale"},
		"attributes a list":   {`{"displayName":"A","attributes":[]}`, "attributes"},
		"attributes null":     {`{"displayName":"A","attributes":null}`, "attributes"},
		"200 attributes":      {attributes(200), ""},
		"201 attributes":      {attributes(201), "attributes"},
		"empty key":           {attribute("", "x"), "attributes."},
		"key of 64":           {attribute(strings.Repeat("k", 64), "x"), ""},
		"key of 65":           {attribute(strings.Repeat("k", 65), "x"), "attributes." + strings.Repeat("k", 64) + "…"},
		"key with newline":    {attribute(`k\n`, "x"), "attributes.k\n"},
		"value of 4096":       {attribute("k", strings.Repeat("v", 4096)), ""},
		"value of 4097":       {attribute("k", strings.Repeat("v", 4097)), "attributes.k"},
		"value not text":      {`{"displayName":"A","attributes":{"k":1}}`, "attributes.k"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := decodeOnly([]byte(c.text))
			if c.field == "" {
				require.NoError(t, err)
				return
			}
			var invalid *InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Len(t, invalid.Fields, 1)
			require.Equal(t, c.field, invalid.Fields[0].Field)
			require.NotEmpty(t, invalid.Fields[0].Detail)
		})
	}
}

func TestEmailIsAnAddrSpec(t *testing.T) {
	t.Parallel()
	for address, valid := range map[string]bool{
		"ada@example.com": true, "a.b+c_d@x-y.example": true, "!#$%&'*+/=?^_`{|}~-@x": true, "a@b": true,
		`"ada lovelace"@example.com`: true, `"a\"b@c"@example.com`: true, `""@example.com`: true, "a@[192.0.2.1]": true,
		"ada": false, "@example.com": false, "ada@": false, "a@b@c": false, ".a@b": false, "a.@b": false, "a..b@c": false,
		"a@b.": false, "a@.b": false, "a b@c": false, "Ada <ada@example.com>": false, "<a@b>": false, "a@b\n": false,
		`"a@b`: false, "\"a\nb\"@c": false, "a@[1]2]": false, "a@b(comment)": false, "ä@example.com": false, "a@b, c@d": false,
	} {
		err := Profile{DisplayName: "A", Email: address}.Validate()
		require.Equal(t, valid, err == nil, "%q: %v", address, err)
	}
}

func TestLocaleHasTheShapeOfALanguageTag(t *testing.T) {
	t.Parallel()
	for tag, valid := range map[string]bool{
		"en": true, "pt-BR": true, "EN-us": true, "zh-Hant-TW": true, "sl-rozaj-biske": true, "de-CH-1901": true,
		"es-419": true, "zh-cmn-Hans-CN": true, "en-US-u-ca-gregory": true, "x-whatever": true, "de-x-ger": true, "qaaa": true,
		"e": false, "en_US": false, "en-": false, "-en": false, "en--US": false, "en-US-": false, "abcdefghi": false,
		"en-u": false, "x": false, "en\n": false, "日本": false, "en-US-US-US": false, "*": false,
	} {
		err := Profile{DisplayName: "A", Locale: tag}.Validate()
		require.Equal(t, valid, err == nil, "%q: %v", tag, err)
	}
}

func TestCheckPatchLeavesValuesToTheMerge(t *testing.T) {
	t.Parallel()
	for _, patch := range []string{`{}`, `{"displayName":null}`, `{"attributes":{"a":null,"b":{}}}`, `{"attributes":7}`, `[]`, `null`} {
		require.NoError(t, CheckPatch([]byte(patch)))
	}
}

func TestValidID(t *testing.T) {
	t.Parallel()
	for id, valid := range map[string]bool{
		"p-1": true, "A.b_c~d": true, "...": true, strings.Repeat("i", 128): true,
		"": false, ".": false, "..": false, "a/b": false, "a b": false, "a%2Fb": false, "ä": false, "a\n": false,
		strings.Repeat("i", 129): false,
	} {
		require.Equal(t, valid, ValidID(id), "%q", id)
	}
}

func decodeOnly(data []byte) error {
	_, err := Decode(data)
	return err
}

// FuzzDecode: whatever comes in, a refusal points into the text, and what is accepted
// is valid, survives its canonical encoding and has only one of these.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"displayName":"Ada","email":"ada@example.com","attributes":{"a":"b"}}`, `{"displayName":"\ud83d\ude00"}`,
		`{"displayName":"\ud83d"}`, `{"displayName":1,"bio":[{"a":2}],"locale":null}`, "{\"bio\":\"\xff\"}", `{"a":1,"a":2}`, ` 1e5 `, `{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode(data)
		switch e := err.(type) {
		case nil:
			require.NoError(t, p.Validate())
			require.NoError(t, CheckPatch(data))
			again, err := Decode(p.Encode())
			require.NoError(t, err)
			require.True(t, p.Equal(again))
			require.Equal(t, p.Encode(), again.Encode())
		case *SyntaxError:
			requireInside(t, data, e.Position)
		case *UnknownFieldError:
			requireInside(t, data, e.Position)
		case *DuplicateFieldError:
			requireInside(t, data, e.Position)
		case *InvalidError:
			require.NotEmpty(t, e.Fields)
		default:
			t.Fatalf("unknown error %T", err)
		}
	})
}

func requireInside(t *testing.T, data []byte, at Position) {
	t.Helper()
	require.Equal(t, positionOf(data, at.Offset), at)
	require.LessOrEqual(t, at.Offset, len(data))
}
