package amqpwire

// Go types of AMQP values (1.6). bool, the sized integers, float32, float64, string and nil are themselves, a binary is
// a []byte, a list is a []any.
type (
	// Symbol is an ASCII name from a constrained domain.
	Symbol string
	// Timestamp is milliseconds since the Unix epoch.
	Timestamp int64
	// UUID is in network (RFC 4122) byte order.
	UUID [16]byte
	// Char is a Unicode code point.
	Char rune
	// Decimal is a decimal32, 64 or 128, kept as it came: Code is its constructor.
	Decimal struct {
		Code byte
		Bits string
	}
	// Described is a value with a descriptor.
	Described struct{ Descriptor, Value any }
	// Map keeps the order of its entries.
	Map []Entry
	// Entry is one pair of a Map.
	Entry struct{ Key, Value any }
	// Array is a homogeneous sequence. Code is the constructor of its elements.
	Array struct {
		Code       byte
		Descriptor any
		Elems      []any
	}
	// Raw is one encoded value, constructor included. nil is an absent value.
	Raw []byte
)

// Get returns the value under a string or symbol key.
func (m Map) Get(key string) any {
	for _, e := range m {
		if k, ok := Text(e.Key); ok && k == key {
			return e.Value
		}
	}
	return nil
}

// Text returns the characters of a string or a symbol.
func Text(v any) (string, bool) {
	switch s := v.(type) {
	case string:
		return s, true
	case Symbol:
		return string(s), true
	}
	return "", false
}

// Int returns any integer that fits an int64.
func Int(v any) (int64, bool) {
	switch n := v.(type) {
	case int8:
		return int64(n), true
	case int16:
		return int64(n), true
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case uint8:
		return int64(n), true
	case uint16:
		return int64(n), true
	case uint32:
		return int64(n), true
	case uint64:
		return int64(n), n < 1<<63
	}
	return 0, false
}

// Elems returns the elements of an array or a list.
func Elems(v any) ([]any, bool) {
	switch s := v.(type) {
	case Array:
		return s.Elems, true
	case []any:
		return s, true
	}
	return nil, false
}

// Constructors (1.6). Fixed-width ones carry their width in the high nibble: 4x = 0, 5x = 1, 6x = 2, 7x = 4, 8x = 8, 9x = 16.
const (
	codeDescribed  = 0x00
	codeNull       = 0x40
	codeTrue       = 0x41
	codeFalse      = 0x42
	codeUint0      = 0x43
	codeUlong0     = 0x44
	codeList0      = 0x45
	codeUbyte      = 0x50
	codeByte       = 0x51
	codeSmallUint  = 0x52
	codeSmallUlong = 0x53
	codeSmallInt   = 0x54
	codeSmallLong  = 0x55
	codeBool       = 0x56
	codeUshort     = 0x60
	codeShort      = 0x61
	codeUint       = 0x70
	codeInt        = 0x71
	codeFloat      = 0x72
	codeChar       = 0x73
	codeDecimal32  = 0x74
	codeUlong      = 0x80
	codeLong       = 0x81
	codeDouble     = 0x82
	codeTimestamp  = 0x83
	codeDecimal64  = 0x84
	codeDecimal128 = 0x94
	codeUUID       = 0x98
	codeBinary8    = 0xa0
	codeString8    = 0xa1
	codeSymbol8    = 0xa3
	codeBinary32   = 0xb0
	codeString32   = 0xb1
	codeSymbol32   = 0xb3
	codeList8      = 0xc0
	codeMap8       = 0xc1
	codeList32     = 0xd0
	codeMap32      = 0xd1
	codeArray8     = 0xe0
	codeArray32    = 0xf0
)
