package sql

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkJSON parses a batch of an entity and its event and writes the documents in it.
func BenchmarkJSON(b *testing.B) {
	document := fmt.Sprintf(`{"id":"entity","pk":"profile:1","kind":"profile","version":3,"lastSeq":3,"incarnation":{"id":"a","first":1,"ts":1},`+
		`"data":{"name":"Ada","email":"ada@example.com","tags":["a","b"],"text":%q},"deleted":false}`, strings.Repeat("x", 500))
	text := fmt.Appendf(nil, `[{"operationType":"Replace","id":"entity","ifMatch":"\"1\"","resourceBody":%s},{"operationType":"Create","resourceBody":%s}]`, document, document)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		v, err := ParseJSON(text)
		if err != nil {
			b.Fatal(err)
		}
		for _, op := range v.Items() {
			op.Get("resourceBody").AppendJSON(nil)
		}
	}
}
