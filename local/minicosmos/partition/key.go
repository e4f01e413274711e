package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// MaxBytes is the largest partition key value in bytes (the service's limit).
const MaxBytes = 2048

// ErrTooLong is returned when a partition key value is longer than MaxBytes.
var ErrTooLong = fmt.Errorf("a partition key value is limited to %d bytes", MaxBytes)

// ErrBadComponent is returned when a document or header holds an array or object where
// a partition key value belongs. Only {} is allowed there; it stands for undefined.
var ErrBadComponent = errors.New("a partition key value must be a string, number, boolean or null")

// Key is a partition key: one value per path of the definition, undefined where the
// document has none. A key with fewer values than paths is a prefix.
type Key []sql.Value

// check tells whether every component may be part of a key.
func (k Key) check() error {
	for _, v := range k {
		s, _ := v.Str()
		switch {
		case v.Kind() > sql.String:
			return ErrBadComponent
		case len(s) > MaxBytes:
			return ErrTooLong
		}
	}
	return nil
}

// Equal tells whether two keys are the same.
func (k Key) Equal(other Key) bool {
	return len(k) == len(other) && k.HasPrefix(other)
}

// HasPrefix tells whether k starts with prefix.
func (k Key) HasPrefix(prefix Key) bool {
	if len(prefix) > len(k) {
		return false
	}
	for i, v := range prefix {
		if !sql.Equal(k[i], v) {
			return false
		}
	}
	return true
}

// AppendStorage appends a form of the key that is unique, keeps a prefix key a prefix
// of the bytes, and orders like the values.
func (k Key) AppendStorage(dst []byte) []byte {
	for _, v := range k {
		dst = AppendScalar(dst, v)
	}
	return dst
}

// Markers of a scalar's type in the stored form; they start at 1 so that 0 can end a key.
const (
	storedUndefined = iota + 1
	storedNull
	storedFalse
	storedTrue
	storedNumber
	storedString
)

// AppendScalar appends a prefix-free, ordered form of one scalar. The caller keeps
// arrays and objects away.
func AppendScalar(dst []byte, v sql.Value) []byte {
	switch v.Kind() {
	case sql.Null:
		return append(dst, storedNull)
	case sql.Bool:
		if b, _ := v.Bool(); b {
			return append(dst, storedTrue)
		}
		return append(dst, storedFalse)
	case sql.Number:
		n, _ := v.Number()
		return binary.BigEndian.AppendUint64(append(dst, storedNumber), orderedBits(n))
	case sql.String:
		s, _ := v.Str()
		return appendTerminated(append(dst, storedString), s)
	}
	return append(dst, storedUndefined)
}

// appendTerminated appends s ended by 0x00 0x00; a zero byte inside becomes 0x00 0xFF.
func appendTerminated(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if dst = append(dst, s[i]); s[i] == 0 {
			dst = append(dst, 0xFF)
		}
	}
	return append(dst, 0, 0)
}

// bitsOf is a double as an integer; the two zeros are one.
func bitsOf(f float64) uint64 {
	if f == 0 {
		return 0
	}
	return math.Float64bits(f)
}

// orderedBits maps doubles to integers of the same order.
func orderedBits(f float64) uint64 {
	bits := bitsOf(f)
	if bits&(1<<63) != 0 {
		return ^bits
	}
	return bits | 1<<63
}
