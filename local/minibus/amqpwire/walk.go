package amqpwire

import "unicode/utf8"

// Raw cuts the next value out without decoding it. The value is walked to its last element, so that what is stored or
// passed on is known to be well-formed: a broker that forwards a broken map takes its receivers' connections down.
func (r *Reader) Raw() (Raw, error) {
	from := r.off
	if err := r.skip(0); err != nil {
		return nil, err
	}
	return Raw(r.buf[from:r.off:r.off]), nil
}

// skip passes over one value and allocates nothing.
func (r *Reader) skip(depth int) error {
	code, err := r.byte()
	if err != nil {
		return err
	}
	return r.skipBody(code, depth)
}

func (r *Reader) skipBody(code byte, depth int) error {
	if r.budget--; r.budget < 0 || depth > maxDepth {
		return ErrTooDeep
	}
	switch {
	case code == codeDescribed:
		if err := r.skip(depth + 1); err != nil {
			return err
		}
		return r.skip(depth + 1)
	case code < 0xa0:
		_, err := r.fixed(code)
		return err
	case code < 0xc0:
		return r.skipVariable(code)
	}
	return r.skipCompound(code, depth)
}

func (r *Reader) skipVariable(code byte) error {
	n, err := r.size(code >= 0xb0)
	if err != nil {
		return err
	}
	b, err := r.take(n)
	if err != nil {
		return err
	}
	switch code {
	case codeBinary8, codeBinary32, codeSymbol8, codeSymbol32:
		return nil
	case codeString8, codeString32:
		if !utf8.Valid(b) {
			return malformed("string is not UTF-8")
		}
		return nil
	}
	return malformed("constructor 0x%02x", code)
}

func (r *Reader) skipCompound(code byte, depth int) error {
	in, n, err := r.compound(code&0x10 != 0)
	if err != nil {
		return err
	}
	switch code {
	case codeList8, codeList32:
	case codeMap8, codeMap32:
		if n%2 != 0 {
			return malformed("map of %d items", n)
		}
	case codeArray8, codeArray32:
		err = in.skipArray(n, depth)
		n = 0
	default:
		return malformed("constructor 0x%02x", code)
	}
	for ; n > 0 && err == nil; n-- {
		err = in.skip(depth + 1)
	}
	r.budget = in.budget
	if err != nil {
		return err
	}
	return in.end()
}

func (r *Reader) skipArray(n, depth int) error {
	code, err := r.byte()
	if err != nil {
		return err
	}
	if code == codeDescribed {
		if err := r.skip(depth + 1); err != nil {
			return err
		}
		if code, err = r.byte(); err != nil {
			return err
		}
	}
	if code == codeDescribed {
		return malformed("array of doubly described values")
	}
	for range n {
		if err := r.skipBody(code, depth+1); err != nil {
			return err
		}
	}
	return nil
}
