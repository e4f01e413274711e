package azfunc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// payload decodes a trigger's data: base64 for dataType binary (encoded once),
// else text encoded once or twice. The first character tells them apart: no
// base64 text begins with a quote, a brace or a bracket. Anything that is not
// a JSON string is the payload as it stands.
func payload(raw json.RawMessage) []byte {
	if inner, ok := plain(raw); ok && len(inner) > 0 {
		body := make([]byte, base64.StdEncoding.DecodedLen(len(inner)))
		if n, err := base64.StdEncoding.Strict().Decode(body, inner); err == nil {
			return body[:n]
		}
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return raw
	}
	if inner, ok := unquote(s); ok {
		return []byte(inner)
	}
	if b, err := base64.StdEncoding.Strict().DecodeString(s); err == nil {
		return b
	}
	return []byte(s)
}

// text decodes a metadata value: a JSON string that may hold a JSON string
// literal, which is unquoted only if it begins like one.
func text(raw json.RawMessage) string {
	if inner, ok := plain(raw); ok {
		return string(inner)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		if bytes.Equal(raw, []byte("null")) {
			return ""
		}
		return string(raw)
	}
	if inner, ok := unquote(s); ok {
		return inner
	}
	return s
}

// plain returns what stands in a JSON string that needs no decoding. The values of an
// invocation are valid JSON and most of them are such strings.
func plain(raw json.RawMessage) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return nil, false
		}
	}
	return inner, raw[len(raw)-1] == '"'
}

func unquote(s string) (string, bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", false
	}
	var inner string
	err := json.Unmarshal([]byte(s), &inner)
	return inner, err == nil
}

// integer decodes a number that may have arrived as a string; 0 if it is none.
func integer(raw json.RawMessage) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text(raw)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// instant decodes a time; one without a zone is UTC. Zero if it is none.
func instant(raw json.RawMessage) time.Time {
	s := text(raw)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// properties decodes application properties, which are plain JSON: integers
// become int64, other numbers float64.
func properties(raw json.RawMessage) map[string]any {
	if s := text(raw); strings.HasPrefix(s, "{") {
		raw = json.RawMessage(s)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil {
		return nil
	}
	for k, v := range m {
		m[k] = native(v)
	}
	return m
}

func native(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, _ := n.Float64()
	return f
}

// elements decodes an array that may stand as it is or inside a JSON string.
// nil if it is none.
func elements(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	if json.Unmarshal([]byte(text(raw)), &list) == nil {
		return list
	}
	return nil
}
