package hybridrow

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// version is that of every row, the first of its bytes.
const version = 0x81

// header is how many bytes stand before a row's bits: version and schema.
const header = 5

// What is wrong with a row.
var (
	errShort   = errors.New("a row ends too early")
	errVersion = errors.New("a row has another version")
	errSchema  = errors.New("a row has another schema")
	errColumn  = errors.New("a column has another type or place than its schema says, or is there twice")
)

// Read reads a row, whose values are then parts of b.
func (l *Layout) Read(b []byte) (Row, error) {
	rest, err := l.head(b)
	if err != nil {
		return nil, err
	}
	if len(rest) < l.size {
		return nil, errShort
	}
	r, fixed := l.Row(), rest[:l.size]
	rest = rest[l.size:]
	for i := range l.columns {
		c := &l.columns[i]
		if c.Storage == Sparse || c.bit >= 0 && !bit(fixed, c.bit) {
			continue
		}
		if c.Storage == Fixed {
			r[i] = c.fixed(fixed)
			continue
		}
		if r[i], rest, err = value(c.Type, rest); err != nil {
			return nil, err
		}
	}
	for len(rest) > 0 {
		if rest, err = l.sparse(r, rest); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// head reads what stands before a row's bits.
func (l *Layout) head(b []byte) (rest []byte, err error) {
	switch {
	case len(b) < header:
		return nil, errShort
	case b[0] != version:
		return nil, errVersion
	case binary.LittleEndian.Uint32(b[1:]) != uint32(l.ID):
		return nil, errSchema
	}
	return b[header:], nil
}

// fixed is the value of a fixed column that is there.
func (c *column) fixed(b []byte) []byte {
	if c.truth < 0 {
		return b[c.at : c.at+c.size : c.at+c.size]
	}
	if bit(b, c.truth) {
		return []byte{1}
	}
	return []byte{0}
}

// sparse reads one sparse column. One that the layout does not know is passed over.
func (l *Layout) sparse(r Row, b []byte) (rest []byte, err error) {
	t := Type(b[0])
	token, b, err := varuint(b[1:])
	if err != nil {
		return nil, err
	}
	known := uint64(len(l.columns)) + 1 // the first token is the empty name's
	if token >= known {
		if token -= known; token > uint64(len(b)) {
			return nil, errShort
		}
		_, rest, err = value(t, b[token:])
		return rest, err
	}
	v, rest, err := value(t, b)
	if err != nil || token == 0 {
		return rest, err
	}
	c := &l.columns[token-1]
	if t == False {
		t = Bool
	}
	if c.Storage != Sparse || c.Type != t || r[token-1] != nil {
		return nil, errColumn
	}
	r[token-1] = v
	return rest, nil
}

// value reads a value of a type that stands in the variable or the sparse part.
func value(t Type, b []byte) (v, rest []byte, err error) {
	size := sizeOf(t)
	switch t {
	case Null:
	case False:
		return []byte{0}, b, nil
	case Bool:
		return []byte{1}, b, nil
	case VarInt, VarUint:
		_, rest, err = varuint(b)
		if err != nil {
			return nil, nil, err
		}
		size = len(b) - len(rest)
	case UTF8, Binary:
		length, behind, err := varuint(b)
		if err != nil {
			return nil, nil, err
		}
		if length > uint64(len(behind)) {
			return nil, nil, errShort
		}
		b, size = behind, int(length)
	default:
		if size == 0 {
			return nil, nil, fmt.Errorf("a column of type %d is not known here", t)
		}
	}
	if size > len(b) {
		return nil, nil, errShort
	}
	return b[:size:size], b[size:], nil
}

// varuint reads a number of seven bits a byte, the lowest first.
func varuint(b []byte) (uint64, []byte, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil, errShort
	}
	return n, b[size:], nil
}

func bit(b []byte, n int) bool { return b[n/8]&(1<<(n%8)) != 0 }
