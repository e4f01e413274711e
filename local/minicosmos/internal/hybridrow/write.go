package hybridrow

import "encoding/binary"

// Append appends a row of this layout.
func (l *Layout) Append(b []byte, r Row) []byte {
	b = binary.LittleEndian.AppendUint32(append(b, version), uint32(l.ID))
	start := len(b)
	b = append(b, make([]byte, l.size)...)
	fixed := b[start:]
	for i := range l.columns {
		c := &l.columns[i]
		if r[i] == nil || c.Storage == Sparse {
			continue
		}
		if c.bit >= 0 {
			fixed[c.bit/8] |= 1 << (c.bit % 8)
		}
		if c.truth >= 0 {
			fixed[c.truth/8] |= r[i][0] << (c.truth % 8)
		} else {
			copy(fixed[c.at:c.at+c.size], r[i])
		}
	}
	for i := range l.columns {
		if c := &l.columns[i]; c.Storage == Variable && r[i] != nil {
			b = appendValue(b, c.Type, r[i])
		}
	}
	for i := range l.columns {
		if c := &l.columns[i]; c.Storage == Sparse && r[i] != nil {
			t := c.Type
			if t == Bool && r[i][0] == 0 {
				t = False
			}
			b = appendValue(binary.AppendUvarint(append(b, byte(t)), uint64(i)+1), t, r[i])
		}
	}
	return b
}

// appendValue appends a value of the variable or the sparse part.
func appendValue(b []byte, t Type, v []byte) []byte {
	switch t {
	case Bool, False: // the type says it all
		return b
	case UTF8, Binary:
		b = binary.AppendUvarint(b, uint64(len(v)))
	}
	return append(b, v...)
}
