package front

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// What the real host's web server and its Uri class do to a request target,
// stage by stage. The handler sees the result of all of them.

// decodePath is the web server's stage: percent escapes are decoded, except
// %2F and those that are no valid UTF-8, then dot segments are removed. A NUL,
// a control or a character outside ASCII makes the request a bad one.
func decodePath(raw string) (string, bool) {
	plain := true
	for i := 0; i < len(raw); i++ {
		if raw[i] <= ' ' || raw[i] >= 0x7f {
			return "", false
		}
		if raw[i] == '%' || (raw[i] == '.' && i > 0 && raw[i-1] == '/') {
			plain = false
		}
	}
	if plain {
		return raw, true
	}
	decoded := unescape(raw, func(c byte) bool { return c == '/' })
	if strings.IndexByte(decoded, 0) >= 0 {
		return "", false
	}
	return removeDots(decoded), true
}

// unescape decodes percent escapes that make valid UTF-8 and leaves the rest,
// and the ASCII characters that keep names, as they are.
func unescape(s string, keep func(byte) bool) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		c, ok := escapeAt(s, i)
		switch {
		case !ok:
			out.WriteByte(s[i])
			i++
		case c < utf8.RuneSelf:
			if keep != nil && keep(c) {
				out.WriteString(s[i : i+3])
			} else {
				out.WriteByte(c)
			}
			i += 3
		default:
			n := runeAt(s, i, &out)
			i += 3 * n
		}
	}
	return out.String()
}

// runeAt decodes the escaped rune at i and returns its length in bytes; one
// escape that begins no rune is copied.
func runeAt(s string, i int, out *strings.Builder) int {
	var buf [utf8.UTFMax]byte
	n := 0
	for n < len(buf) {
		c, ok := escapeAt(s, i+3*n)
		if !ok {
			break
		}
		buf[n] = c
		n++
		if utf8.Valid(buf[:n]) {
			out.Write(buf[:n])
			return n
		}
	}
	out.WriteString(s[i : i+3])
	return 1
}

func escapeAt(s string, i int) (byte, bool) {
	if i+2 >= len(s) || s[i] != '%' {
		return 0, false
	}
	hi, ok1 := hexDigit(s[i+1])
	lo, ok2 := hexDigit(s[i+2])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// removeDots is RFC 3986 5.2.4.
func removeDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	parts := strings.Split(path, "/")
	out := parts[:1]
	for i, p := range parts[1:] {
		last := i == len(parts)-2
		switch {
		case p == "." || p == "..":
			if p == ".." && len(out) > 1 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, p)
		}
	}
	return strings.Join(out, "/")
}

// absolutePath is the Uri stage: the decoded path is read again as part of a
// URL. A question mark or number sign ends it, a backslash becomes a slash and
// what a path may not hold is escaped.
func absolutePath(decoded string, hasQuery bool) string {
	if safe(decoded) {
		return decoded
	}
	path := decoded
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	} else if !hasQuery {
		path = strings.TrimRight(path, " \t\r\n\v\f")
	}
	path = removeDots(strings.ReplaceAll(path, `\`, "/"))
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			decoded, ok := escapeAt(path, i)
			switch {
			case !ok:
				out.WriteString("%25")
				continue
			case unreserved(decoded):
				out.WriteByte(decoded)
			default:
				out.WriteString(path[i : i+3])
			}
			i += 2
			continue
		}
		if unreserved(c) || strings.IndexByte(";/:@&=+$,!'()*[]", c) >= 0 {
			out.WriteByte(c)
			continue
		}
		escapeByte(&out, c)
	}
	return out.String()
}

// safe is the fast path: nothing that the Uri stage would touch.
func safe(path string) bool {
	for i := 0; i < len(path); i++ {
		if c := path[i]; !unreserved(c) && c != '/' {
			return false
		}
	}
	return true
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func escapeByte(out *strings.Builder, c byte) {
	const hex = "0123456789ABCDEF"
	out.WriteByte('%')
	out.WriteByte(hex[c>>4])
	out.WriteByte(hex[c&15])
}

// splitTarget takes a request target apart. It accepts the origin form, and the
// absolute form if it names the same host as the Host header.
func splitTarget(target, host string) (path, query string, ok bool) {
	if !strings.HasPrefix(target, "/") {
		u, err := url.Parse(target)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, host) {
			return "", "", false
		}
		_, rest, _ := strings.Cut(target, "://")
		_, path, found := strings.Cut(rest, "/")
		if !found {
			return "/", "", true
		}
		target = "/" + path
	}
	path, query, _ = strings.Cut(target, "?")
	return path, query, true
}
