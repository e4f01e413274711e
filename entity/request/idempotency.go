package request

import (
	"net/http"
	"strings"

	"github.com/relaybox/relaybox/entity/problem"
)

// maxKey bounds an Idempotency-Key, in characters.
const maxKey = 255

// IdempotencyKey reads the header of draft-ietf-httpapi-idempotency-key-header: a
// string of RFC 8941 §3.3.3, or, as most clients send it, the same without quotes.
// "" means that there is none.
func IdempotencyKey(h http.Header) (string, error) {
	lines := h.Values("Idempotency-Key")
	if len(lines) == 0 {
		return "", nil
	}
	key, ok := strings.Trim(lines[0], " \t"), len(lines) == 1
	if strings.HasPrefix(key, `"`) {
		var closed bool
		key, closed = unquote(key)
		ok = ok && closed
	}
	if !ok || key == "" || len(key) > maxKey || strings.ContainsFunc(key, invisible) {
		p := problem.New(problem.BadHeader, "Idempotency-Key must be one key of 1 to %d visible ASCII characters, in quotes or not.", maxKey)
		p.Header = "Idempotency-Key"
		return "", p
	}
	return key, nil
}

func invisible(r rune) bool { return r <= ' ' || r >= 0x7f }

// unquote reads a structured field string; nothing may follow it.
func unquote(s string) (string, bool) {
	var key strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return key.String(), i == len(s)-1
		case '\\':
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
		}
		key.WriteByte(s[i])
	}
	return "", false
}
