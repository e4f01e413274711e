package amqpwire

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

const (
	// maxDepth bounds nesting, so that recursion cannot exhaust the stack.
	maxDepth = 32
	// spareValues is what a Reader may decode beyond one value per input byte: arrays of zero-width elements (null,
	// true, empty list) name thousands of values in a few bytes and are legal in small numbers.
	spareValues = 4096
)

// Reader decodes values from one buffer. Its budget of values bounds the memory that hostile input can claim. Strings
// are copied out of the buffer, binaries and Raw values point into it.
type Reader struct {
	buf    []byte
	off    int
	budget int
}

// NewReader reads b.
func NewReader(b []byte) *Reader { return &Reader{buf: b, budget: len(b) + spareValues} }

// Len is the number of bytes left.
func (r *Reader) Len() int { return len(r.buf) - r.off }

// Rest is what has not been read.
func (r *Reader) Rest() []byte { return r.buf[r.off:] }

func (r *Reader) take(n int) ([]byte, error) {
	if n < 0 || n > r.Len() {
		return nil, ErrTruncated
	}
	b := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	return b, nil
}

func (r *Reader) byte() (byte, error) {
	if r.off >= len(r.buf) {
		return 0, ErrTruncated
	}
	r.off++
	return r.buf[r.off-1], nil
}

// size reads the length that precedes variable and compound values: one byte or four.
func (r *Reader) size(wide bool) (int, error) {
	if !wide {
		b, err := r.byte()
		return int(b), err
	}
	b, err := r.take(4)
	if err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint32(b)), nil
}

// compound reads size and count of a list, map or array and returns a Reader of its elements. The budget is shared by
// handing it down and back: see value.
func (r *Reader) compound(wide bool) (Reader, int, error) {
	n, err := r.size(wide)
	if err != nil {
		return Reader{}, 0, err
	}
	b, err := r.take(n)
	if err != nil {
		return Reader{}, 0, err
	}
	in := Reader{buf: b, budget: r.budget}
	count, err := in.size(wide)
	return in, count, err
}

// Value decodes one value of any type.
func (r *Reader) Value() (any, error) { return r.value(0) }

func (r *Reader) value(depth int) (any, error) {
	code, err := r.byte()
	if err != nil {
		return nil, err
	}
	return r.body(code, depth)
}

// body decodes a value whose constructor has been read.
func (r *Reader) body(code byte, depth int) (any, error) {
	if r.budget--; r.budget < 0 || depth > maxDepth {
		return nil, ErrTooDeep
	}
	switch {
	case code == codeDescribed:
		return r.described(depth)
	case code < 0xa0:
		return r.fixed(code)
	case code < 0xc0:
		return r.variable(code)
	case code == codeArray8 || code == codeArray32:
		return r.array(code == codeArray32, depth)
	}
	in, n, err := r.compound(code&0xf0 == 0xd0)
	if err != nil {
		return nil, err
	}
	defer func() { r.budget = in.budget }()
	switch code {
	case codeList8, codeList32:
		return in.list(n, depth)
	case codeMap8, codeMap32:
		return in.mapping(n, depth)
	}
	return nil, malformed("constructor 0x%02x", code)
}

func (r *Reader) described(depth int) (any, error) {
	d, err := r.value(depth + 1)
	if err != nil {
		return nil, err
	}
	v, err := r.value(depth + 1)
	return Described{d, v}, err
}

func (r *Reader) list(n, depth int) (any, error) {
	list := make([]any, 0, min(n, r.Len()))
	for range n {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, r.end()
}

func (r *Reader) mapping(n, depth int) (any, error) {
	if n%2 != 0 {
		return nil, malformed("map of %d items", n)
	}
	m := make(Map, 0, min(n, r.Len())/2)
	for range n / 2 {
		k, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		m = append(m, Entry{k, v})
	}
	return m, r.end()
}

func (r *Reader) array(wide bool, depth int) (any, error) {
	in, n, err := r.compound(wide)
	if err != nil {
		return nil, err
	}
	defer func() { r.budget = in.budget }()
	var a Array
	if a.Code, err = in.byte(); err != nil {
		return nil, err
	}
	if a.Code == codeDescribed {
		if a.Descriptor, err = in.value(depth + 1); err != nil {
			return nil, err
		}
		if a.Code, err = in.byte(); err != nil {
			return nil, err
		}
		if a.Code == codeDescribed {
			return nil, malformed("array of doubly described values")
		}
	}
	if n > in.budget {
		return nil, ErrTooDeep
	}
	a.Elems = make([]any, 0, min(n, in.Len()))
	for range n {
		v, err := in.body(a.Code, depth+1)
		if err != nil {
			return nil, err
		}
		a.Elems = append(a.Elems, v)
	}
	return a, in.end()
}

// end checks that a compound value holds nothing after its last element.
func (r *Reader) end() error {
	if r.Len() != 0 {
		return malformed("%d bytes after the last element", r.Len())
	}
	return nil
}

// width is the number of bytes of a fixed-width value, by its constructor.
func width(code byte) int {
	if code < 0x50 {
		return 0
	}
	return 1 << (code>>4 - 5)
}

func (r *Reader) fixed(code byte) (any, error) {
	if code < codeNull {
		return nil, malformed("constructor 0x%02x", code)
	}
	b, err := r.take(width(code))
	if err != nil {
		return nil, err
	}
	switch code {
	case codeNull:
		return nil, nil
	case codeTrue:
		return true, nil
	case codeFalse:
		return false, nil
	case codeUint0:
		return uint32(0), nil
	case codeUlong0:
		return uint64(0), nil
	case codeList0:
		return []any{}, nil
	case codeUbyte:
		return b[0], nil
	case codeByte:
		return int8(b[0]), nil
	case codeSmallUint:
		return uint32(b[0]), nil
	case codeSmallUlong:
		return uint64(b[0]), nil
	case codeSmallInt:
		return int32(int8(b[0])), nil
	case codeSmallLong:
		return int64(int8(b[0])), nil
	case codeBool:
		if b[0] > 1 {
			return nil, malformed("boolean %d", b[0])
		}
		return b[0] == 1, nil
	}
	return wideFixed(code, b)
}

func wideFixed(code byte, b []byte) (any, error) {
	switch code {
	case codeUshort:
		return binary.BigEndian.Uint16(b), nil
	case codeShort:
		return int16(binary.BigEndian.Uint16(b)), nil
	case codeUint:
		return binary.BigEndian.Uint32(b), nil
	case codeInt:
		return int32(binary.BigEndian.Uint32(b)), nil
	case codeFloat:
		return math.Float32frombits(binary.BigEndian.Uint32(b)), nil
	case codeChar:
		return Char(binary.BigEndian.Uint32(b)), nil
	case codeUlong:
		return binary.BigEndian.Uint64(b), nil
	case codeLong:
		return int64(binary.BigEndian.Uint64(b)), nil
	case codeDouble:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case codeTimestamp:
		return Timestamp(binary.BigEndian.Uint64(b)), nil
	case codeUUID:
		return UUID(b), nil
	case codeDecimal32, codeDecimal64, codeDecimal128:
		return Decimal{code, string(b)}, nil
	}
	return nil, malformed("constructor 0x%02x", code)
}

func (r *Reader) variable(code byte) (any, error) {
	n, err := r.size(code >= 0xb0)
	if err != nil {
		return nil, err
	}
	b, err := r.take(n)
	if err != nil {
		return nil, err
	}
	switch code {
	case codeBinary8, codeBinary32:
		return b, nil
	case codeString8, codeString32:
		if !utf8.Valid(b) {
			return nil, malformed("string is not UTF-8")
		}
		return string(b), nil
	case codeSymbol8, codeSymbol32:
		return Symbol(b), nil
	}
	return nil, malformed("constructor 0x%02x", code)
}
