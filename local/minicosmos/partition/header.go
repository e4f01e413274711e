package partition

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// ErrHeader is returned when x-ms-documentdb-partitionkey is not an array of scalars.
var ErrHeader = errors.New("the partition key header is not a JSON array of scalars")

// ParseHeader reads x-ms-documentdb-partitionkey. azcosmos spells strings with Go's
// escapes, which are not always JSON (an emoji arrives as \U0001f600, a control byte as
// \x01); they are accepted. Bytes that are not UTF-8 are refused: no document can hold
// them. The error is ErrHeader, ErrBadComponent or ErrTooLong.
func ParseHeader(header string) (Key, error) {
	if len(header) > 16*MaxBytes {
		return nil, ErrTooLong
	}
	key, err := parseJSONKey(header)
	if err != nil {
		key, err = parseGoKey(header)
	}
	if err != nil {
		return nil, err
	}
	return key, key.check()
}

func parseJSONKey(header string) (Key, error) {
	v, err := sql.ParseJSON([]byte(header))
	if err != nil || v.Kind() != sql.Array {
		return nil, ErrHeader
	}
	key := make(Key, 0, len(v.Items()))
	for _, item := range v.Items() {
		if item.Kind() == sql.Object && len(item.Items()) == 0 {
			item = sql.Value{} // {} stands for undefined
		}
		key = append(key, item)
	}
	return key, nil
}

// parseGoKey reads an array whose strings carry Go's escapes.
func parseGoKey(header string) (Key, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(header), "[")
	if !ok {
		return nil, ErrHeader
	}
	var key Key
	for {
		v, tail, err := goScalar(strings.TrimLeft(rest, " "))
		if err != nil {
			return nil, err
		}
		key = append(key, v)
		tail = strings.TrimLeft(tail, " ")
		if tail == "]" {
			return key, nil
		}
		if rest, ok = strings.CutPrefix(tail, ","); !ok {
			return nil, ErrHeader
		}
	}
}

func goScalar(s string) (v sql.Value, tail string, err error) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ",]")
		if end < 0 {
			return v, "", ErrHeader
		}
		v, err := sql.ParseJSON([]byte(s[:end]))
		if err != nil {
			return v, "", ErrHeader
		}
		return v, s[end:], nil
	}
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return v, "", ErrHeader
	}
	text, err := strconv.Unquote(quoted)
	if err != nil || !utf8.ValidString(text) {
		return v, "", ErrHeader
	}
	return sql.StringOf(text), s[len(quoted):], nil
}
