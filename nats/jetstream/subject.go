package jetstream

import (
	"strings"

	"github.com/relaybox/relaybox/outbox"
)

const (
	hexDigits = "0123456789ABCDEF"
	// nothing stands for an empty part, noKind for the kind of a key without one, and no other part is
	// written like them.
	nothing = "%"
	noKind  = "%%"
)

// Subject is where the events of key go: prefix, kind and id. Letters, digits, '-' and '_' of the
// latter stand for themselves, every other byte is %XX, because dots, spaces and wildcards mean
// something in a subject. A key of more than 128 bytes is cut as its session would be
// (outbox.Session), so that a subject is never longer than the server's limit of a line.
func Subject(prefix, key string) string {
	key = outbox.Session(key)
	kind, id := outbox.SplitKey(key)
	if id == key {
		return prefix + "." + noKind + "." + token(id)
	}
	return prefix + "." + token(kind) + "." + token(id)
}

func token(s string) string {
	if s == "" {
		return nothing
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
