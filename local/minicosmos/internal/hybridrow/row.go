package hybridrow

import (
	"encoding/binary"
	"math"
)

// Row is the values of a layout's columns, each as it stands in a row: little-endian, a Bool as one byte, nil for a column
// that is not there.
type Row [][]byte

// Row returns a row without values.
func (l *Layout) Row() Row { return make(Row, len(l.columns)) }

// Has tells whether a column is there.
func (r Row) Has(column int) bool { return r[column] != nil }

// Text is a UTF8, "" for none.
func (r Row) Text(column int) string { return string(r[column]) }

// Int32 is an Int32, 0 for none.
func (r Row) Int32(column int) int32 {
	if r[column] == nil {
		return 0
	}
	return int32(binary.LittleEndian.Uint32(r[column]))
}

// Bool is a Bool, false for none.
func (r Row) Bool(column int) bool { return r[column] != nil && r[column][0] != 0 }

// SetBytes sets a UTF8 or a Binary; it keeps b.
func (r Row) SetBytes(column int, b []byte) {
	if b == nil {
		b = []byte{}
	}
	r[column] = b
}

// SetUint32 sets an Int32 or a Uint32.
func (r Row) SetUint32(column int, v uint32) {
	r[column] = binary.LittleEndian.AppendUint32(r[column][:0], v)
}

// SetFloat64 sets a Float64.
func (r Row) SetFloat64(column int, v float64) {
	r[column] = binary.LittleEndian.AppendUint64(r[column][:0], math.Float64bits(v))
}
