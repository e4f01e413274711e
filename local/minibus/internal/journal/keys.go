package journal

import (
	"bytes"
	"encoding/binary"
)

// Kinds of keys. A key is kind, entity path (with its length before it), rest.
const (
	KindChange   = 'a' // what a client has changed of an entity: and the configuration does not say
	KindMessage  = 'm' // + sequence number: the message as it was accepted
	KindStatus   = 's' // + sequence number: state and delivery count, once they differ from the message's
	KindSequence = 'q' // last sequence number
	KindSession  = 'e' // + session id: session state
	KindHistory  = 'h' // + message-id: duplicate detection
	KindTimes    = 'b' // when the entity was created and changed; without a path, the namespace
)

// Key begins with kind and path, and has room for a rest of so many bytes.
func Key(kind byte, path string, rest int) []byte {
	k := make([]byte, 0, 3+len(path)+rest)
	k = binary.BigEndian.AppendUint16(append(k, kind), uint16(len(path)))
	return append(k, path...)
}

// After is the first key behind all that begin with a prefix, which has a byte that can grow: a path's last one.
func After(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// NumberKey is a key whose rest is a number.
func NumberKey(kind byte, path string, n int64) []byte {
	return binary.BigEndian.AppendUint64(Key(kind, path, 8), uint64(n))
}

// NameKey is a key whose rest is a name.
func NameKey(kind byte, path, name string) []byte {
	return append(Key(kind, path, len(name)), name...)
}

// SplitKey cuts a key up, without a copy.
func SplitKey(k []byte) (kind byte, path, rest []byte, err error) {
	if len(k) < 3 || len(k) < 3+int(binary.BigEndian.Uint16(k[1:])) {
		return 0, nil, nil, ErrRecord
	}
	n := 3 + int(binary.BigEndian.Uint16(k[1:]))
	return k[0], k[3:n], k[n:], nil
}
