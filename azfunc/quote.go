package azfunc

import "unicode/utf8"

// escapes are what stands for a byte in a JSON string; "" for the byte itself. The choice of
// encoding/json, without the escaping of HTML.
var escapes = func() (all [utf8.RuneSelf]string) {
	for c := range byte(0x20) {
		all[c] = string([]byte{'\\', 'u', '0', '0', hex[c>>4], hex[c&15]})
	}
	all['"'], all['\\'] = `\"`, `\\`
	all['\b'], all['\f'], all['\n'], all['\r'], all['\t'] = `\b`, `\f`, `\n`, `\r`, `\t`
	return all
}()

const hex = "0123456789abcdef"

// appendQuoted appends s as a JSON string.
func appendQuoted(b []byte, s string) []byte { return append(appendEscaped(append(b, '"'), s), '"') }

// appendTwice appends, as a JSON string, the JSON string that s is.
func appendTwice(b []byte, s string) []byte {
	once := appendQuoted(make([]byte, 0, len(s)+len(s)/8+8), s)
	return appendQuoted(b, string(once))
}

func appendEscaped(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		escape, size := "", 1
		if c := s[i]; c < utf8.RuneSelf {
			escape = escapes[c]
		} else {
			escape, size = escapeRune(s[i:])
		}
		if escape != "" {
			b = append(append(b, s[start:i]...), escape...)
			start = i + size
		}
		i += size
	}
	return append(b, s[start:]...)
}

// escapeRune is for what is not ASCII: the two line ends that JavaScript knows besides, and
// what is no UTF-8.
func escapeRune(s string) (escape string, size int) {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size == 1:
		return `\ufffd`, 1
	case r == '\u2028':
		return `\u2028`, size
	case r == '\u2029':
		return `\u2029`, size
	}
	return "", size
}
