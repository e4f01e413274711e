package azfunc

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// bag is the host's dictionary of binding data: keys keep the order and the
// case of their first appearance and are compared in any case.
type bag struct {
	keys   []string
	values []json.RawMessage
}

func (b *bag) find(key string) int {
	for i, k := range b.keys {
		if strings.EqualFold(k, key) {
			return i
		}
	}
	return -1
}

// set stores a value; a key that differs only in case is replaced.
func (b *bag) set(key string, value json.RawMessage) {
	if i := b.find(key); i >= 0 {
		b.values[i] = value
		return
	}
	b.keys, b.values = append(b.keys, key), append(b.values, value)
}

// add stores a value unless the key is taken.
func (b *bag) add(key string, value json.RawMessage) {
	if b.find(key) < 0 {
		b.set(key, value)
	}
}

// put stores a native value: text, numbers and bools as a string that holds
// their JSON text (reference §3.1), the rest as it is. Keys ending in "trigger"
// are never sent.
func (b *bag) put(key string, value any) {
	const never = "trigger"
	if n := len(key) - len(never); n >= 0 && strings.EqualFold(key[n:], never) {
		return
	}
	b.set(key, encoded(value))
}

func encoded(value any) json.RawMessage {
	switch v := value.(type) {
	case json.RawMessage:
		return v
	case time.Time:
		return appendQuoted(nil, v.UTC().Format("2006-01-02T15:04:05")+"+00:00")
	case plainTime:
		return appendQuoted(nil, time.Time(v).UTC().Format("2006-01-02T15:04:05"))
	case string:
		return appendTwice(make([]byte, 0, len(v)+len(v)/4+8), v)
	case int:
		return appendQuoted(nil, strconv.Itoa(v))
	case int64:
		return appendQuoted(nil, strconv.FormatInt(v, 10))
	default:
		return appendQuoted(nil, string(compact(v)))
	}
}

// plainTime is a .NET DateTime: sent without a zone.
type plainTime time.Time

// json writes the dictionary as an object.
func (b *bag) json() json.RawMessage {
	size := 2
	for i, k := range b.keys {
		size += len(k) + len(b.values[i]) + len(`"":,`)
	}
	out := append(make([]byte, 0, size), '{')
	for i, k := range b.keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(appendQuoted(out, k), ':'), b.values[i]...)
	}
	return append(out, '}')
}

// compact is json.Marshal without the escaping of HTML and for values that
// cannot fail.
func compact(v any) json.RawMessage {
	if s, ok := v.(string); ok {
		return appendQuoted(make([]byte, 0, len(s)+2), s)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return json.RawMessage("null")
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// pollute copies the top-level properties of a JSON object into the metadata,
// as the host does with every text payload and HTTP body: objects as objects,
// scalars as text, arrays and nulls not at all. They replace what is there.
func (b *bag) pollute(text []byte) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' || !json.Valid(text) { // of what follows an object the host takes none, nor of the object
		return
	}
	members(text, func(name, value []byte) {
		if v, ok := polluted(value); ok {
			b.put(literal(name), v)
		}
	})
}

func polluted(value json.RawMessage) (any, bool) {
	switch value[0] {
	case '[', 'n':
		return nil, false
	case '{':
		out := bytes.NewBuffer(make([]byte, 0, len(value)))
		if json.Compact(out, value) != nil {
			return nil, false
		}
		return json.RawMessage(out.Bytes()), true
	case 't':
		return "True", true
	case 'f':
		return "False", true
	case '"':
		return dateText(literal(value)), true
	default:
		return numberText(string(value)), true
	}
}

// isoDate is what the host's JSON library takes for a date.
var isoDate = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)?$`)

// dateText: a date in a text body reaches the metadata as .NET prints it.
func dateText(s string) string {
	if len(s) < len("2006-01-02T15:04:05") || s[4] != '-' || !isoDate.MatchString(s) { // most text is none
		return s
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.9999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Format("01/02/2006 15:04:05")
		}
	}
	return s
}

// numberText: integers stand as they are, other numbers as .NET prints them.
func numberText(s string) string {
	if !strings.ContainsAny(s, ".eE") {
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	if a := math.Abs(f); a != 0 && (a >= 1e15 || a < 1e-5) {
		return strconv.FormatFloat(f, 'E', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
