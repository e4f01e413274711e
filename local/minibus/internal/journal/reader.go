package journal

import "encoding/binary"

// AppendBytes writes bytes with their length before them, for Reader.
func AppendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// Reader reads a record: varints and bytes. The first error sticks.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads from b, whose bytes it gives out.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Fault is ErrRecord if something could not be read.
func (r *Reader) Fault() error { return r.err }

// Number reads a varint.
func (r *Reader) Number() int64 {
	n, w := binary.Varint(r.b)
	if w <= 0 {
		r.err = ErrRecord
		return 0
	}
	r.b = r.b[w:]
	return n
}

// Unsigned reads an unsigned varint.
func (r *Reader) Unsigned() uint64 {
	n, w := binary.Uvarint(r.b)
	if w <= 0 {
		r.err = ErrRecord
		return 0
	}
	r.b = r.b[w:]
	return n
}

// Bytes returns nil for an empty value: a section that is absent.
func (r *Reader) Bytes() []byte {
	n, w := binary.Uvarint(r.b)
	if w <= 0 || n > uint64(len(r.b)-w) {
		r.err = ErrRecord
		return nil
	}
	v := r.b[w : w+int(n) : w+int(n)]
	r.b = r.b[w+int(n):]
	if n == 0 {
		return nil
	}
	return v
}
