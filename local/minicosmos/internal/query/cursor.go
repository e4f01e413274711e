package query

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// token is a continuation: a cursor, and which query it belongs to.
type token struct {
	Query  uint32            `json:"q"`
	Number uint64            `json:"n"`
	Row    int               `json:"r,omitempty"`
	Seen   int               `json:"s,omitempty"`
	Keys   []json.RawMessage `json:"k,omitempty"` // null for undefined, else an array of the value
}

func fingerprint(q *sql.Query) uint32 {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(q.Shape())) // a hash never fails
	return sum.Sum32()
}

// EncodeCursor is the continuation for a cursor of a query, "" for none.
func EncodeCursor(c *sql.Cursor, q *sql.Query) string {
	if c == nil {
		return ""
	}
	t := token{Query: fingerprint(q), Number: c.Number, Row: c.Row, Seen: c.Seen}
	for _, v := range c.Keys {
		var key json.RawMessage
		if v.IsDefined() {
			key = sql.ArrayOf([]sql.Value{v}).AppendJSON(nil)
		}
		t.Keys = append(t.Keys, key)
	}
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // a token has no value that cannot be marshalled
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor reads the continuation that a client sent, for the query that it sends it with.
func DecodeCursor(header string, q *sql.Query) (c sql.Cursor, err error) {
	if header == "" {
		return c, nil
	}
	var t token
	b, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil || json.Unmarshal(b, &t) != nil || t.Query != fingerprint(q) || t.Row < 0 || t.Seen < 0 || !q.TakesKeys(len(t.Keys)) {
		return c, sql.ErrCursor
	}
	c = sql.Cursor{Number: t.Number, Row: t.Row, Seen: t.Seen}
	for _, key := range t.Keys {
		v := sql.Value{}
		if len(key) > 0 && string(key) != "null" {
			list, err := sql.ParseJSON(key)
			if err != nil {
				return c, sql.ErrCursor
			}
			v = list.At(0)
		}
		c.Keys = append(c.Keys, v)
	}
	return c, nil
}
