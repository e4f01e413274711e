package sql

import (
	"context"
	"errors"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzParse feeds the parser anything; what it accepts must run, page by page, without
// a panic and to an end. The corpus is in testdata/fuzz; the vectors and samples are seeds too.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"cosmos-sql.json", "cosmos-sql-syntax.json"} {
		for _, v := range readVectors(f, name).Cases {
			f.Add(v.Query)
		}
	}
	for _, s := range readSamples(f) {
		f.Add(s.Query)
	}
	docs := parseAll(f, readVectors(f, "cosmos-sql.json").Documents)[:4]
	f.Fuzz(func(t *testing.T, text string) {
		stuck := time.AfterFunc(time.Minute, func() { panic("nothing ends this query") })
		defer stuck.Stop()
		q, err := Parse(text)
		if err != nil {
			var syntax *SyntaxError
			require.ErrorAs(t, err, &syntax)
			require.LessOrEqual(t, syntax.Start, len(text))
			require.True(t, utf8.ValidString(syntax.Msg))
			return
		}
		q.Filter(nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second) // of a product of JOINs, say
		defer cancel()
		from := Cursor{}
		for range 50 {
			start := time.Now()
			page, err := q.Run(ctx, nil, over(docs), from, Limits{Rows: 2, Bytes: 1 << 16, Looked: 3})
			require.Less(t, time.Since(start), 30*time.Second, "the context did not end it")
			if err != nil {
				require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrParameter) || errors.Is(err, ErrCount) || errors.Is(err, ErrMemory) || errors.Is(err, ErrPattern) || errors.Is(err, ErrTerms), err)
				return
			}
			if page.Next == nil {
				return
			}
			from = *page.Next
		}
	})
}

// FuzzJSON checks that what is parsed is written back as the same value, whether the text is copied or written anew.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e3,"x\u0041\ud83d\ude00\n",null,true,{}]}`, `[[[]]]`, `"\ud800"`, `1e999`, `{"a":1,"a":2}`, `[ 1]`, `{"a": {"b":[1,2 ]}}`,
		`{"a":"\/"}`, `{"a":"\"\\\n\r\t"}`, `{"\b":[]}`, `{"a":{"b":1,"b":2},"c":[]}`, "\"\xff\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := ParseJSON(text)
		if err != nil {
			return
		}
		again, err := ParseJSON(v.AppendJSON(nil))
		require.NoError(t, err)
		require.True(t, Equal(v, again), "%s", text)
		require.Equal(t, string(withoutTexts(v).AppendJSON(nil)), string(v.AppendJSON(nil)), "%s", text)
	})
}

// withoutTexts is the value as one that was never parsed.
func withoutTexts(v Value) Value {
	items := make([]Value, len(v.items))
	for i, item := range v.items {
		items[i] = withoutTexts(item)
	}
	switch v.kind {
	case Array:
		return ArrayOf(items)
	case Object:
		return ObjectOf(v.names, items)
	}
	return v
}
