package partition

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Markers of a component's type in what is hashed and in a version 1 key.
const (
	markUndefined = 0x00
	markNull      = 0x01
	markFalse     = 0x02
	markTrue      = 0x03
	markNumber    = 0x05
	markString    = 0x08
)

// EPK returns the key's place in the space "" … "FF" that the physical ranges divide,
// in upper-case hex. A prefix of a MultiHash key gets the prefix of the full key's.
func (d *Definition) EPK(key Key) string {
	switch {
	case len(key) == 0:
		return ""
	case d.Kind == MultiHash:
		var b strings.Builder
		for _, v := range key {
			b.WriteString(hash2(Key{v}))
		}
		return b.String()
	case d.Version == 2:
		return hash2(key)
	}
	return hash1(key)
}

// hash2 is version 2: the 128-bit hash, its bytes reversed, the two top bits cleared
// to stay below "FF".
func hash2(key Key) string {
	var input []byte
	for _, v := range key {
		input = appendHashed(input, v, 0xFF)
	}
	low, high := murmur128(input)
	var sum [16]byte
	binary.BigEndian.PutUint64(sum[:8], high)
	binary.BigEndian.PutUint64(sum[8:], low)
	sum[0] &= 0x3F
	return upperHex(sum[:])
}

// Limits of what a version 1 key keeps of a string: characters hashed, bytes appended.
const (
	hashedChars   = 100
	appendedBytes = 100
)

// hash1 is version 1: the 32-bit hash as a number, followed by the values themselves,
// all in an ordered binary form.
func hash1(key Key) string {
	var input []byte
	short := make(Key, len(key))
	for i, v := range key {
		if s, ok := v.Str(); ok {
			v = sql.StringOf(firstChars(s, hashedChars))
		}
		short[i] = v
		input = appendHashed(input, v, 0x00)
	}
	epk := appendOrdered(nil, sql.NumberOf(float64(murmur32(input))))
	for _, v := range short {
		epk = appendOrdered(epk, v)
	}
	return upperHex(epk)
}

// firstChars cuts s after n UTF-16 units, the service's idea of a character.
func firstChars(s string, n int) string {
	for i, r := range s {
		if r > 0xFFFF {
			n--
		}
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

func appendHashed(dst []byte, v sql.Value, stringEnd byte) []byte {
	switch v.Kind() {
	case sql.Number:
		n, _ := v.Number()
		return binary.LittleEndian.AppendUint64(append(dst, markNumber), bitsOf(n))
	case sql.String:
		s, _ := v.Str()
		return append(append(append(dst, markString), s...), stringEnd)
	}
	return append(dst, mark(v))
}

func mark(v sql.Value) byte {
	switch v.Kind() {
	case sql.Null:
		return markNull
	case sql.Bool:
		if b, _ := v.Bool(); b {
			return markTrue
		}
		return markFalse
	}
	return markUndefined
}

func appendOrdered(dst []byte, v sql.Value) []byte {
	switch v.Kind() {
	case sql.Number:
		n, _ := v.Number()
		return appendOrderedNumber(append(dst, markNumber), n)
	case sql.String:
		s, _ := v.Str()
		return appendOrderedString(append(dst, markString), s)
	}
	return append(dst, mark(v))
}

// appendOrderedNumber writes eight bits, then seven at a time with a continuation bit.
func appendOrderedNumber(dst []byte, f float64) []byte {
	bits := bitsOf(f)
	if bits < 1<<63 {
		bits ^= 1 << 63
	} else {
		bits = ^bits + 1
	}
	dst = append(dst, byte(bits>>56))
	bits <<= 8
	last := byte(0)
	for first := true; bits != 0; first = false {
		if !first {
			dst = append(dst, last)
		}
		last = byte(bits>>56) | 1
		bits <<= 7
	}
	return append(dst, last&0xFE)
}

// appendOrderedString adds one to each byte to make room for the 0 that ends a short string.
func appendOrderedString(dst []byte, s string) []byte {
	short := len(s) <= appendedBytes
	if !short {
		s = s[:appendedBytes+1]
	}
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b < 0xFF {
			b++
		}
		dst = append(dst, b)
	}
	if short {
		dst = append(dst, 0)
	}
	return dst
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
