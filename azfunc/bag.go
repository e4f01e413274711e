package azfunc

import (
	"bytes"
	"encoding/json"
	"io"
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
	if strings.HasSuffix(strings.ToLower(key), "trigger") {
		return
	}
	b.set(key, encoded(value))
}

func encoded(value any) json.RawMessage {
	switch v := value.(type) {
	case json.RawMessage:
		return v
	case time.Time:
		return compact(v.UTC().Format("2006-01-02T15:04:05") + "+00:00")
	case plainTime:
		return compact(time.Time(v).UTC().Format("2006-01-02T15:04:05"))
	default:
		return compact(string(compact(v)))
	}
}

// plainTime is a .NET DateTime: sent without a zone.
type plainTime time.Time

// json writes the dictionary as an object.
func (b *bag) json() json.RawMessage {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, k := range b.keys {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(compact(k))
		out.WriteByte(':')
		out.Write(b.values[i])
	}
	out.WriteByte('}')
	return out.Bytes()
}

// compact is json.Marshal without the escaping of HTML and for values that
// cannot fail.
func compact(v any) json.RawMessage {
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
	if len(text) == 0 || text[0] != '{' {
		return
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return
	}
	found := &bag{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return
		}
		if v, ok := polluted(value); ok {
			name, _ := key.(string)
			found.put(name, v)
		}
	}
	if _, err := d.Token(); err != nil {
		return
	}
	if _, err := d.Token(); err != io.EOF {
		return // something follows the object: the host takes none of it
	}
	for i, k := range found.keys {
		b.set(k, found.values[i])
	}
}

func polluted(value json.RawMessage) (any, bool) {
	switch value[0] {
	case '[', 'n':
		return nil, false
	case '{':
		var out bytes.Buffer
		if json.Compact(&out, value) != nil {
			return nil, false
		}
		return json.RawMessage(out.Bytes()), true
	case 't':
		return "True", true
	case 'f':
		return "False", true
	case '"':
		var s string
		err := json.Unmarshal(value, &s)
		return dateText(s), err == nil
	default:
		return numberText(string(value)), true
	}
}

// isoDate is what the host's JSON library takes for a date.
var isoDate = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)?$`)

// dateText: a date in a text body reaches the metadata as .NET prints it.
func dateText(s string) string {
	if !isoDate.MatchString(s) {
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
