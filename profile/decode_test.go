package profile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/entity/document"
)

func TestDecodeReadsEveryField(t *testing.T) {
	t.Parallel()
	p, err := Kind.Decode([]byte(" {\"displayName\":\"Ada \\ud83d\\ude00\",\"email\":\"ada@example.com\",\"bio\":\"a\\nb\",\n" +
		`"locale":"en-GB","attributes":{"team":"engine","x.y_z-1":""}}` + "\n"))
	require.NoError(t, err)
	require.Equal(t, Profile{
		DisplayName: "Ada 😀", Email: "ada@example.com", Bio: "a\nb", Locale: "en-GB",
		Attributes: map[string]string{"team": "engine", "x.y_z-1": ""},
	}, p)
}

func TestDecodeNamesEveryBadFieldAtOnce(t *testing.T) {
	t.Parallel()
	require.Equal(t, []document.FieldError{
		{Field: "displayName", Detail: "must be a string, not null"},
		{Field: "bio", Detail: "must be a string, not a number"},
		{Field: "attributes.a", Detail: "must be a string, not an array"},
		{Field: "attributes.c", Detail: "must be a string, not a boolean"},
		{Field: "email", Detail: "must be an e-mail address like ada@example.com"},
		{Field: "locale", Detail: "must be a language tag like en or pt-BR"},
		{Field: "attributes.b c", Detail: "must have a key of 1 to 64 letters, digits, '.', '_' and '-'"},
	}, faultsOf(t, decodeOnly([]byte(`{"displayName":null,"email":"nobody","bio":7,"locale":"??",
		"attributes":{"c":false,"b c":"x","a":["x"]}}`))))
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
			var invalid *document.InvalidError
			require.ErrorAs(t, err, &invalid)
			require.Len(t, invalid.Fields, 1)
			require.Equal(t, c.field, invalid.Fields[0].Field)
			require.NotEmpty(t, invalid.Fields[0].Detail)
		})
	}
}

func TestEmailIsAnAddrSpec(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"ada@example.com": true, "a.b+c_d@x-y.example": true, "!#$%&'*+/=?^_`{|}~-@x": true, "a@b": true,
		`"ada lovelace"@example.com`: true, `"a\"b@c"@example.com`: true, `""@example.com`: true, "a@[192.0.2.1]": true,
		"ada": false, "@example.com": false, "ada@": false, "a@b@c": false, ".a@b": false, "a.@b": false, "a..b@c": false,
		"a@b.": false, "a@.b": false, "a b@c": false, "Ada <ada@example.com>": false, "<a@b>": false, "a@b\n": false,
		`"a@b`: false, "\"a\nb\"@c": false, "a@[1]2]": false, "a@b(comment)": false, "ä@example.com": false, "a@b, c@d": false,
	} {
		err := valid(Profile{DisplayName: "A", Email: address})
		require.Equal(t, ok, err == nil, "%q: %v", address, err)
	}
}

func TestLocaleHasTheShapeOfALanguageTag(t *testing.T) {
	t.Parallel()
	for tag, ok := range map[string]bool{
		"en": true, "pt-BR": true, "EN-us": true, "zh-Hant-TW": true, "sl-rozaj-biske": true, "de-CH-1901": true,
		"es-419": true, "zh-cmn-Hans-CN": true, "en-US-u-ca-gregory": true, "x-whatever": true, "de-x-ger": true, "qaaa": true,
		"e": false, "en_US": false, "en-": false, "-en": false, "en--US": false, "en-US-": false, "abcdefghi": false,
		"en-u": false, "x": false, "en\n": false, "日本": false, "en-US-US-US": false, "*": false,
	} {
		err := valid(Profile{DisplayName: "A", Locale: tag})
		require.Equal(t, ok, err == nil, "%q: %v", tag, err)
	}
}

func faultsOf(t *testing.T, err error) []document.FieldError {
	t.Helper()
	var invalid *document.InvalidError
	require.ErrorAs(t, err, &invalid)
	return invalid.Fields
}

func valid(p Profile) error {
	var faults entity.Faults
	p.validate(&faults)
	return faults.Err()
}

func decodeOnly(data []byte) error {
	_, err := Kind.Decode(data)
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
		p, err := Kind.Decode(data)
		switch e := err.(type) {
		case nil:
			require.NoError(t, valid(p))
			require.NoError(t, document.CheckPatch[Profile](data))
			text, err := document.Encode(p)
			require.NoError(t, err)
			again, err := Kind.Decode(text)
			require.NoError(t, err)
			same, err := document.Encode(again)
			require.NoError(t, err)
			require.Equal(t, string(text), string(same))
		case *document.SyntaxError:
			requireInside(t, data, e.Position)
		case *document.UnknownFieldError:
			requireInside(t, data, e.Position)
		case *document.DuplicateFieldError:
			requireInside(t, data, e.Position)
		case *document.InvalidError:
			require.NotEmpty(t, e.Fields)
		default:
			t.Fatalf("unknown error %T", err)
		}
	})
}

func requireInside(t *testing.T, data []byte, at document.Position) {
	t.Helper()
	require.True(t, at.Offset >= 0 && at.Offset <= len(data) && at.Line >= 1 && at.Column >= 1, "%+v", at)
}
