package outbox

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Key names an entity in the store: its kind, a colon, its id. A kind is lower-case
// letters, digits and '-', so the first colon ends it, and two kinds never share a key,
// whatever their ids are.
func Key(kind, id string) string { return kind + ":" + id }

// SplitKey takes a Key apart. A key without a kind is all id.
func SplitKey(key string) (kind, id string) {
	kind, id, ok := strings.Cut(key, ":")
	if !ok {
		return "", key
	}
	return kind, id
}

// maxSession is the broker's limit for session ids, in bytes to be safe.
const maxSession = 128

// Session is the broker's session of a key: the key itself, or as much of a longer one as
// stands beside its hash.
func Session(key string) string {
	if len(key) <= maxSession {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	mark := "~" + hex.EncodeToString(sum[:16])
	return strings.ToValidUTF8(key[:maxSession-len(mark)], "") + mark
}
