package amqpwire

import "encoding/binary"

// composite is a described list (1.4): its layout method names its fields in the order of the specification, and that
// one table serves both directions.
type composite interface {
	code() byte
	layout(*coder)
}

// coder walks a table of fields, either decoding (in is set) or encoding (out grows). The first error sticks.
// Null and missing fields leave the Go field as it is, which is its default. Every field is encoded, trailing nulls too:
// AMQP lets them be left out (1.4), but there are clients that look for a field by its place.
type coder struct {
	in   *Reader
	left int // fields of the list not yet read

	out   []byte
	count int // fields written

	err error
}

// appendComposite encodes v with the long list constructor. go-amqp wants the descriptor to be exactly 00 53 code.
func appendComposite(b []byte, v composite) []byte {
	b = append(b, codeDescribed, codeSmallUlong, v.code(), codeList32, 0, 0, 0, 0, 0, 0, 0, 0)
	start := len(b)
	c := coder{out: b}
	v.layout(&c)
	binary.BigEndian.PutUint32(c.out[start-8:], uint32(len(c.out)-start+4))
	binary.BigEndian.PutUint32(c.out[start-4:], uint32(c.count))
	return c.out
}

// descriptor reads the 00 and the numeric descriptor before a described value. Symbolic descriptors are legal AMQP, but
// no client of Service Bus sends them.
func (r *Reader) descriptor() (uint64, error) {
	code, err := r.byte()
	if err != nil {
		return 0, err
	}
	if code != codeDescribed {
		return 0, malformed("0x%02x where a described value must stand", code)
	}
	v, err := r.value(maxDepth)
	if err != nil {
		return 0, err
	}
	d, ok := v.(uint64)
	if !ok {
		return 0, malformed("descriptor is a %T", v)
	}
	return d, nil
}

// fields opens the list of a composite whose descriptor has been read and lets v's table read it.
func (r *Reader) fields(v composite) error {
	code, err := r.byte()
	if err != nil {
		return err
	}
	c := coder{in: &Reader{}}
	switch code {
	case codeList0:
	case codeList8, codeList32:
		in, n, err := r.compound(code == codeList32)
		if err != nil {
			return err
		}
		c.in, c.left = &in, n
	default:
		return malformed("0x%02x where the fields of 0x%02x must stand", code, v.code())
	}
	v.layout(&c)
	if c.err != nil {
		return c.err
	}
	if c.left > 0 {
		return malformed("%d fields too many in 0x%02x", c.left, v.code())
	}
	return c.in.end()
}

// present reports whether the next field has a value to decode.
func (c *coder) present() bool {
	if c.err != nil || c.left == 0 {
		return false
	}
	c.left--
	if c.in.Len() > 0 && c.in.buf[c.in.off] == codeNull {
		c.in.off++
		return false
	}
	return true
}

// null encodes a field that is absent.
func (c *coder) null() {
	c.out = append(c.out, codeNull)
	c.count++
}

// field codes one field of a simple type. absent says whether it is encoded as null.
func field[T any](c *coder, p *T, absent bool, decode func(any) (T, bool)) {
	if c.in == nil {
		if absent {
			c.null()
			return
		}
		c.count++
		c.out = Append(c.out, *p)
		return
	}
	if !c.present() {
		return
	}
	v, err := c.in.value(0)
	if err != nil {
		c.err = err
		return
	}
	if t, ok := decode(v); ok {
		*p = t
	} else {
		c.err = malformed("a %T where a %T must stand", v, *p)
	}
}

// optional codes a field whose absence means something: nil is null.
func optional[T any](c *coder, p **T, decode func(any) (T, bool)) {
	if c.in == nil {
		if *p == nil {
			c.null()
		} else {
			field(c, *p, false, decode)
		}
		return
	}
	if c.left > 0 && c.in.Len() > 0 && c.in.buf[c.in.off] != codeNull {
		*p = new(T)
		field(c, *p, false, decode)
		return
	}
	c.present()
}

func is[T any](v any) (T, bool) { t, ok := v.(T); return t, ok }

// number accepts any width of an unsigned integer that fits.
func number[T uint8 | uint16 | uint32 | uint64](v any) (T, bool) {
	switch n := v.(type) {
	case uint8:
		return T(n), true
	case uint16:
		return T(n), uint64(T(n)) == uint64(n)
	case uint32:
		return T(n), uint64(T(n)) == uint64(n)
	case uint64:
		return T(n), uint64(T(n)) == n
	}
	return 0, false
}

func (c *coder) bool(p *bool)            { field(c, p, false, is[bool]) }
func (c *coder) uint(p *uint32)          { field(c, p, false, number[uint32]) }
func (c *coder) ubyte(p *uint8)          { field(c, p, false, number[uint8]) }
func (c *coder) ulong(p *uint64)         { field(c, p, *p == 0, number[uint64]) }
func (c *coder) optBool(p **bool)        { optional(c, p, is[bool]) }
func (c *coder) optUint(p **uint32)      { optional(c, p, number[uint32]) }
func (c *coder) optUshort(p **uint16)    { optional(c, p, number[uint16]) }
func (c *coder) optUbyte(p **uint8)      { optional(c, p, number[uint8]) }
func (c *coder) timestamp(p **Timestamp) { optional(c, p, is[Timestamp]) }
func (c *coder) binary(p *[]byte)        { field(c, p, *p == nil, is[[]byte]) }
func (c *coder) value(p *any)            { field(c, p, *p == nil, func(v any) (any, bool) { return v, true }) }
func (c *coder) mapping(p *Map)          { field(c, p, *p == nil, is[Map]) }

// string and symbol fields accept each other's encoding; an empty one is absent.
func (c *coder) string(p *string) { field(c, p, *p == "", Text) }
func (c *coder) symbol(p *Symbol) {
	field(c, p, *p == "", func(v any) (Symbol, bool) { s, ok := Text(v); return Symbol(s), ok })
}
func (c *coder) optString(p **string) { optional(c, p, Text) }

// required is a string that is encoded even when it is empty.
func (c *coder) required(p *string) { field(c, p, false, Text) }

// symbols is a "multiple" field: one symbol or an array of them.
func (c *coder) symbols(p *[]Symbol) {
	field(c, p, *p == nil, func(v any) ([]Symbol, bool) {
		elems, ok := Elems(v)
		if !ok {
			elems = []any{v}
		}
		list := make([]Symbol, 0, len(elems))
		for _, e := range elems {
			s, ok := Text(e)
			if !ok {
				return nil, false
			}
			list = append(list, Symbol(s))
		}
		return list, true
	})
}

// raw keeps a field as its bytes.
func (c *coder) raw(p *Raw) {
	if c.in == nil {
		field(c, p, *p == nil, is[Raw])
		return
	}
	if c.present() {
		*p, c.err = c.in.Raw()
	}
}

// nested codes a composite of one known type.
func nested[T any, P interface {
	*T
	composite
}](c *coder, p *P) {
	if c.in == nil {
		if *p == nil {
			c.null()
			return
		}
		c.count++
		c.out = appendComposite(c.out, *p)
		return
	}
	if !c.present() {
		return
	}
	d, err := c.in.descriptor()
	if err != nil {
		c.err = err
		return
	}
	v := P(new(T))
	if d != uint64(v.code()) {
		c.err = malformed("type 0x%x where 0x%02x must stand", d, v.code())
		return
	}
	c.err = c.in.fields(v)
	*p = v
}

// target codes what a link leads to: one or the other, or neither.
func (c *coder) target(t **Target, k **Coordinator) {
	switch {
	case c.in == nil && *k != nil:
		nested(c, k)
	case c.in == nil:
		nested(c, t)
	case !c.present():
	default:
		d, err := c.in.descriptor()
		switch {
		case err != nil:
			c.err = err
		case d == uint64((*Target)(nil).code()):
			*t = new(Target)
			c.err = c.in.fields(*t)
		case d == uint64((*Coordinator)(nil).code()):
			*k = new(Coordinator)
			c.err = c.in.fields(*k)
		default:
			c.err = malformed("type 0x%x where a target must stand", d)
		}
	}
}
