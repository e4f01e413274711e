package amqpwire

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Append encodes one value. It accepts the types of value.go, the slices that stand for AMQP arrays ([]Symbol, []string,
// []int64, []Timestamp, []UUID) and time.Time. Anything else is a mistake of the caller and panics.
func Append(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, codeNull)
	case Raw:
		return append(b, v...)
	case bool:
		return appendBool(b, v)
	case string:
		return appendVariable(b, codeString8, v)
	case Symbol:
		return appendVariable(b, codeSymbol8, v)
	case []byte:
		return appendVariable(b, codeBinary8, v)
	case uint32:
		return appendUint(b, v)
	case uint64:
		return appendUlong(b, v)
	case []any:
		return appendCompound(b, codeList32, len(v), func(b []byte) []byte {
			for _, e := range v {
				b = Append(b, e)
			}
			return b
		})
	case Map:
		return appendCompound(b, codeMap32, 2*len(v), func(b []byte) []byte {
			for _, e := range v {
				b = Append(Append(b, e.Key), e.Value)
			}
			return b
		})
	case Described:
		return Append(Append(append(b, codeDescribed), v.Descriptor), v.Value)
	case Array:
		return appendDecoded(b, v)
	}
	if code, ok := fixedCode(v); ok {
		return appendFixed(append(b, code), v)
	}
	return appendArray(b, v)
}

// AppendString encodes a string.
func AppendString(b []byte, s string) []byte { return appendVariable(b, codeString8, s) }

// AppendSymbol encodes a symbol.
func AppendSymbol(b []byte, s Symbol) []byte { return appendVariable(b, codeSymbol8, s) }

// AppendLong encodes an int64 as a long.
func AppendLong(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, codeLong), uint64(n))
}

// AppendTimestamp encodes milliseconds since the epoch.
func AppendTimestamp(b []byte, t Timestamp) []byte {
	return binary.BigEndian.AppendUint64(append(b, codeTimestamp), uint64(t))
}

// AppendUUID encodes a UUID.
func AppendUUID(b []byte, u UUID) []byte { return append(append(b, codeUUID), u[:]...) }

// Millis is t as an AMQP timestamp.
func Millis(t time.Time) Timestamp { return Timestamp(t.UnixMilli()) }

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, codeTrue)
	}
	return append(b, codeFalse)
}

func appendUint(b []byte, v uint32) []byte {
	switch {
	case v == 0:
		return append(b, codeUint0)
	case v < 256:
		return append(b, codeSmallUint, byte(v))
	}
	return binary.BigEndian.AppendUint32(append(b, codeUint), v)
}

func appendUlong(b []byte, v uint64) []byte {
	switch {
	case v == 0:
		return append(b, codeUlong0)
	case v < 256:
		return append(b, codeSmallUlong, byte(v))
	}
	return binary.BigEndian.AppendUint64(append(b, codeUlong), v)
}

// appendVariable encodes strings, symbols and binaries. The wide constructor is the narrow one + 0x10.
func appendVariable[T ~string | ~[]byte](b []byte, narrow byte, v T) []byte {
	if len(v) < 256 {
		b = append(b, narrow, byte(len(v)))
	} else {
		b = binary.BigEndian.AppendUint32(append(b, narrow+0x10), uint32(len(v)))
	}
	return append(b, v...)
}

// appendCompound writes the 32-bit form; the size is filled in once it is known.
func appendCompound(b []byte, code byte, count int, elems func([]byte) []byte) []byte {
	b = append(b, code, 0, 0, 0, 0)
	start := len(b)
	b = elems(binary.BigEndian.AppendUint32(b, uint32(count)))
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	return b
}

// fixedCode is the widest constructor of a fixed-width value: the one that arrays of it use.
func fixedCode(v any) (byte, bool) {
	switch v := v.(type) {
	case uint8:
		return codeUbyte, true
	case int8:
		return codeByte, true
	case uint16:
		return codeUshort, true
	case int16:
		return codeShort, true
	case int32:
		return codeInt, true
	case int64:
		return codeLong, true
	case float32:
		return codeFloat, true
	case float64:
		return codeDouble, true
	case Char:
		return codeChar, true
	case Timestamp, time.Time:
		return codeTimestamp, true
	case UUID:
		return codeUUID, true
	case Decimal:
		return v.Code, true
	}
	return 0, false
}

func appendFixed(b []byte, v any) []byte {
	switch v := v.(type) {
	case uint8:
		return append(b, v)
	case int8:
		return append(b, byte(v))
	case uint16:
		return binary.BigEndian.AppendUint16(b, v)
	case int16:
		return binary.BigEndian.AppendUint16(b, uint16(v))
	case int32:
		return binary.BigEndian.AppendUint32(b, uint32(v))
	case int64:
		return binary.BigEndian.AppendUint64(b, uint64(v))
	case float32:
		return binary.BigEndian.AppendUint32(b, math.Float32bits(v))
	case float64:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	case Char:
		return binary.BigEndian.AppendUint32(b, uint32(v))
	case Timestamp:
		return binary.BigEndian.AppendUint64(b, uint64(v))
	case time.Time:
		return binary.BigEndian.AppendUint64(b, uint64(v.UnixMilli()))
	case UUID:
		return append(b, v[:]...)
	case Decimal:
		return append(b, v.Bits...)
	}
	panic(fmt.Sprintf("amqpwire: %T has no fixed width", v))
}

func appendArray(b []byte, v any) []byte {
	switch v := v.(type) {
	case []Symbol:
		return arrayOf(b, codeSymbol32, v, appendLong32[Symbol])
	case []string:
		return arrayOf(b, codeString32, v, appendLong32[string])
	case []int64:
		return arrayOf(b, codeLong, v, func(b []byte, e int64) []byte { return appendFixed(b, e) })
	case []Timestamp:
		return arrayOf(b, codeTimestamp, v, func(b []byte, e Timestamp) []byte { return appendFixed(b, e) })
	case []UUID:
		return arrayOf(b, codeUUID, v, func(b []byte, e UUID) []byte { return append(b, e[:]...) })
	}
	panic(fmt.Sprintf("amqpwire: no encoding for %T", v))
}

// appendDecoded encodes an array as it was read, with the widest constructor of its elements' type.
func appendDecoded(b []byte, a Array) []byte {
	code := widest(a.Code)
	return appendCompound(b, codeArray32, len(a.Elems), func(b []byte) []byte {
		if a.Descriptor != nil {
			b = Append(append(b, codeDescribed), a.Descriptor)
		}
		b = append(b, code)
		for _, e := range a.Elems {
			b = appendBare(b, e)
		}
		return b
	})
}

// appendBare encodes a value without its constructor, in the form of widest.
func appendBare(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return b
	case bool:
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	case uint32:
		return binary.BigEndian.AppendUint32(b, v)
	case uint64:
		return binary.BigEndian.AppendUint64(b, v)
	case string:
		return appendLong32(b, v)
	case Symbol:
		return appendLong32(b, v)
	case []byte:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	case []any, Map, Array:
		at := len(b)
		b = Append(b, v)
		return append(b[:at], b[at+1:]...)
	}
	return appendFixed(b, v)
}

// widest is the constructor of a type's longest form.
func widest(code byte) byte {
	switch code {
	case codeTrue, codeFalse:
		return codeBool
	case codeUint0, codeSmallUint:
		return codeUint
	case codeUlong0, codeSmallUlong:
		return codeUlong
	case codeSmallInt:
		return codeInt
	case codeSmallLong:
		return codeLong
	case codeList0:
		return codeList32
	case codeBinary8, codeString8, codeSymbol8, codeList8, codeMap8, codeArray8:
		return code + 0x10
	}
	return code
}

func arrayOf[T any](b []byte, code byte, elems []T, one func([]byte, T) []byte) []byte {
	return appendCompound(b, codeArray32, len(elems), func(b []byte) []byte {
		b = append(b, code)
		for _, e := range elems {
			b = one(b, e)
		}
		return b
	})
}

func appendLong32[T ~string](b []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
