package front

import (
	"slices"
	"strings"

	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// first: no field before i has its name.
func first(fs wire.Fields, i int) bool {
	for _, f := range fs[:i] {
		if strings.EqualFold(f.Name, fs[i].Name) {
			return false
		}
	}
	return true
}

// joined is the value of field i with all later ones of its name.
func joined(fs wire.Fields, i int) string {
	value, separator := fs[i].Value, ", "
	for _, f := range fs[i+1:] {
		if !strings.EqualFold(f.Name, fs[i].Name) {
			continue
		}
		switch strings.ToLower(f.Name) {
		case "user-agent":
			separator = " "
		case "cookie":
			separator = "; "
		}
		value += separator + f.Value
	}
	return value
}

// connectionValue: a value in which only one option is known to the web server
// is replaced by that option.
func connectionValue(value string) string {
	var known []string
	for part := range strings.SplitSeq(value, ",") {
		switch part = strings.ToLower(strings.TrimSpace(part)); part {
		case "keep-alive", "close":
			known = append(known, part)
		case "upgrade":
			known = append(known, "Upgrade")
		}
	}
	slices.Sort(known)
	if known = slices.Compact(known); len(known) == 1 {
		return known[0]
	}
	return value
}

// collapse writes white space outside comments as one space.
func collapse(agent string) string {
	var out strings.Builder
	depth, gap := 0, false
	for i := 0; i < len(agent); i++ {
		c := agent[i]
		if depth == 0 && (c == ' ' || c == '\t') {
			gap = true
			continue
		}
		if gap && out.Len() > 0 {
			out.WriteByte(' ')
		}
		gap = false
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		out.WriteByte(c)
	}
	return out.String()
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// mediaType checks a content type and writes it as .NET does: one space after
// each semicolon.
func mediaType(value string) (string, bool) {
	kind, rest, more := cutUnquoted(value)
	main, sub, ok := strings.Cut(kind, "/")
	if !ok || !wire.Token(main) || !wire.Token(sub) {
		return "", false
	}
	out := kind
	for more {
		var part string
		part, rest, more = cutUnquoted(rest)
		name, v, has := strings.Cut(part, "=")
		name, v = strings.TrimSpace(name), strings.TrimSpace(v)
		if !wire.Token(name) || (has && !wire.Token(v) && !quoted(v)) {
			return "", false
		}
		out += "; " + name
		if has {
			out += "=" + v
		}
	}
	return out, true
}

// cutUnquoted splits at the first semicolon outside quotes.
func cutUnquoted(s string) (before, after string, found bool) {
	in := false
	for i := 0; i < len(s); i++ {
		switch {
		case in && s[i] == '\\':
			i++
		case s[i] == '"':
			in = !in
		case s[i] == ';' && !in:
			return strings.TrimSpace(s[:i]), s[i+1:], true
		}
	}
	return strings.TrimSpace(s), "", false
}

func quoted(s string) bool {
	return len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' && ascii(s)
}

// ownedByServer are the headers of an answer that the connection to the client
// has its own values for.
func ownedByServer(name string) bool {
	switch len(name) {
	case 10, 14, 17:
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive") ||
			strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}
