package partition

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

func TestParseHeader(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		`["a"]`:                         `["a"]`,
		` [ "a" , 2 ] `:                 `["a",2]`,
		`["\u0141\u00f3"]`:              `["Łó"]`,
		`["\U0001f600","\x01\a\v\x7f"]`: `["😀","\u0001\u0007\u000b` + "\x7f" + `"]`,
		`["\x01",null,true,-1.5]`:       `["\u0001",null,true,-1.5]`,
		`[]`:                            `[]`,
	} {
		key, err := ParseHeader(header)
		require.NoError(t, err, header)
		require.Equal(t, want, sql.ArrayOf(key).String())
	}
	for _, header := range []string{``, `a`, `"a"`, `["a"`, `["a",]`, `["\xff"]`, `["\U00110000"]`, `[["a"]]`, `[{"a":1}]`, `["a"]x`, `[,]`, `["\x01" "a"]`, `["\x01",[1]]`} {
		_, err := ParseHeader(header)
		require.Error(t, err, header)
	}
	_, err := ParseHeader(`["` + strings.Repeat("x", MaxBytes+1) + `"]`)
	require.ErrorIs(t, err, ErrTooLong)
}

func TestDefinitions(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"paths":["/pk"]}`, `{"kind":"MultiHash","paths":["/a","/b/c"],"version":2}`, `{"paths":["/\"a b\"/c"]}`} {
		require.NoError(t, new(Definition).UnmarshalJSON([]byte(text)), text)
	}
	for _, text := range []string{`{}`, `[]`, `{"paths":[]}`, `{"paths":["pk"]}`, `{"paths":["/"]}`, `{"paths":["/a//b"]}`, `{"paths":["/a","/b"]}`,
		`{"kind":"Range","paths":["/pk"]}`, `{"paths":["/pk"],"version":3}`, `{"kind":"MultiHash","paths":["/a","/b","/c","/d"]}`, `{"paths":["/a/*"]}`} {
		require.ErrorIs(t, new(Definition).UnmarshalJSON([]byte(text)), ErrDefinition, text)
	}
}

// FuzzHeader feeds the parser anything, and what azcosmos makes of any string: that
// comes back as it was, or is refused because it is not UTF-8.
func FuzzHeader(f *testing.F) {
	for _, seed := range []string{`["a"]`, `["\U0001f600"]`, `[null,1,true]`, "\xff", "😀\a\"\\", `[{}]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if key, err := ParseHeader(s); err == nil {
			require.NoError(t, key.check())
			key.AppendStorage(nil)
		}
		key, err := ParseHeader(fmt.Sprintf("[%s]", strconv.QuoteToASCII(s)))
		if err != nil {
			require.True(t, !strings.Contains(strconv.QuoteToASCII(s), `\U`) || len(s) > MaxBytes || strings.ToValidUTF8(s, "") != s, "%q: %v", s, err)
			return
		}
		got, _ := key[0].Str()
		require.Equal(t, s, got)
	})
}

// The stored form is unique, ordered, and no key's form is a prefix of another's.
func FuzzStorage(f *testing.F) {
	f.Add("a", "a\x00", 1.5, -1.5)
	f.Add("", "\x00\xff", 0.0, 1e308)
	f.Fuzz(func(t *testing.T, a, b string, x, y float64) {
		values := []sql.Value{sql.StringOf(a), sql.StringOf(b), sql.NumberOf(x), sql.NumberOf(y), {}, sql.NullOf(), sql.BoolOf(true)}
		for _, v := range values {
			for _, w := range values {
				vs, ws := string(AppendScalar(nil, v)), string(AppendScalar(nil, w))
				if n, ok := v.Number(); ok && n != n {
					continue
				}
				if n, ok := w.Number(); ok && n != n {
					continue
				}
				require.Equal(t, sql.Equal(v, w), vs == ws)
				require.Equal(t, sql.Equal(v, w), strings.HasPrefix(vs, ws))
				require.Equal(t, sql.Compare(v, w) < 0, vs < ws, "%v %v", v, w)
			}
		}
	})
}
