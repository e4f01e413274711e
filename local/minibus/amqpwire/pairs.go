package amqpwire

// Pair is one entry of a map whose value keeps its encoding.
type Pair struct {
	Key   string // text of a string or symbol key; "" for keys of other types
	Raw   Raw    // the key as it was encoded
	Value Raw
}

// DecodePairs reads a map, or a map section with its descriptor, without decoding its values. nil gives no pairs.
func DecodePairs(m Raw) ([]Pair, error) {
	if m == nil {
		return nil, nil
	}
	r := NewReader(m)
	if m[0] == codeDescribed {
		if _, err := r.descriptor(); err != nil {
			return nil, err
		}
	}
	code, err := r.byte()
	if err != nil {
		return nil, err
	}
	if code == codeNull {
		return nil, nil
	}
	if code != codeMap8 && code != codeMap32 {
		return nil, malformed("constructor 0x%02x where a map must stand", code)
	}
	in, n, err := r.compound(code == codeMap32)
	if err != nil {
		return nil, err
	}
	pairs := make([]Pair, 0, min(n, in.Len())/2)
	for range n / 2 {
		var p Pair
		if p.Raw, err = in.Raw(); err != nil {
			return nil, err
		}
		if p.Value, err = in.Raw(); err != nil {
			return nil, err
		}
		key, err := NewReader(p.Raw).Value()
		if err != nil {
			return nil, err
		}
		p.Key, _ = Text(key) // annotations may be keyed by ulong (3.2.10): such pairs are only passed on
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// IsNull reports whether the value is null.
func (p Pair) IsNull() bool { return len(p.Value) == 1 && p.Value[0] == codeNull }

// AppendPair encodes a pair as it is.
func AppendPair(b []byte, p Pair) []byte { return append(append(b, p.Raw...), p.Value...) }
