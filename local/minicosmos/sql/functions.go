package sql

import (
	"maps"
	"math"
	"math/rand/v2"
)

// function is a built-in scalar function; max is -1 for any number of arguments. One of
// call and in is set: in is for what needs more than its arguments.
type function struct {
	min, max int
	call     func([]Value) Value
	in       func(*env, []Value) Value
	size     func([]Value) int // in bytes, of the string that it makes of others; nil: none that is larger than they are
}

// functions by upper-case name.
var functions = func() map[string]*function {
	all := map[string]*function{}
	for _, family := range []map[string]*function{typeFunctions, stringFunctions, mathFunctions, arrayFunctions, timeFunctions, geoFunctions, searchFunctions} {
		maps.Copy(all, family)
	}
	return all
}()

// refused are names that the service has a function for, or may have: they are refused
// in clear words.
var refused = map[string]bool{"HASH": true, "STDEV": true}

// volatile are functions whose value is another one on the next page.
var volatile = map[string]bool{
	"RAND": true, "NOW": true, "AGO": true, "GETCURRENTDATETIME": true, "GETCURRENTDATETIMESTATIC": true, "GETCURRENTTICKS": true,
	"GETCURRENTTICKSSTATIC": true, "GETCURRENTTIMESTAMP": true, "GETCURRENTTIMESTAMPSTATIC": true,
}

func fixed(n int, call func([]Value) Value) *function { return &function{min: n, max: n, call: call} }

// isKind makes a type check: always defined.
func isKind(accept func(Value) bool) *function {
	return fixed(1, func(a []Value) Value { return BoolOf(accept(a[0])) })
}

var typeFunctions = map[string]*function{
	"IS_DEFINED":   isKind(Value.IsDefined),
	"IS_NULL":      isKind(func(v Value) bool { return v.kind == Null }),
	"IS_BOOL":      isKind(func(v Value) bool { return v.kind == Bool }),
	"IS_NUMBER":    isKind(func(v Value) bool { return v.kind == Number }),
	"IS_STRING":    isKind(func(v Value) bool { return v.kind == String }),
	"IS_ARRAY":     isKind(func(v Value) bool { return v.kind == Array }),
	"IS_OBJECT":    isKind(func(v Value) bool { return v.kind == Object }),
	"IS_PRIMITIVE": isKind(func(v Value) bool { return v.kind >= Null && v.kind <= String }),
	"IS_DATETIME": isKind(func(v Value) bool {
		_, ok := parseTime(v.str)
		return ok && v.kind == String
	}),
	"IS_FINITE_NUMBER": isKind(func(v Value) bool {
		return v.kind == Number && !math.IsInf(v.num, 0) && !math.IsNaN(v.num)
	}),
	// 2⁶³-1 is 2⁶³ as a double, so that the upper end is let through too.
	"IS_INTEGER": isKind(func(v Value) bool { return v.kind == Number && v.num == math.Trunc(v.num) && math.Abs(v.num) <= 1<<63 }),
}

// numeric makes a function of one number.
func numeric(f func(float64) float64) *function {
	return fixed(1, func(a []Value) Value {
		if a[0].kind != Number {
			return Value{}
		}
		return finite(f(a[0].num))
	})
}

// numeric2 makes a function of two numbers.
func numeric2(f func(a, b float64) float64) *function {
	return fixed(2, func(a []Value) Value {
		if a[0].kind != Number || a[1].kind != Number {
			return Value{}
		}
		return finite(f(a[0].num, a[1].num))
	})
}

var mathFunctions = map[string]*function{
	"ABS": numeric(math.Abs), "ACOS": numeric(math.Acos), "ASIN": numeric(math.Asin), "ATAN": numeric(math.Atan),
	"ATN2": numeric2(math.Atan2), "CEILING": numeric(math.Ceil), "COS": numeric(math.Cos),
	"COT":     numeric(func(f float64) float64 { return 1 / math.Tan(f) }),
	"DEGREES": numeric(func(f float64) float64 { return f * 180 / math.Pi }),
	"EXP":     numeric(math.Exp), "FLOOR": numeric(math.Floor), "LOG10": numeric(math.Log10),
	"LOG":     {min: 1, max: 2, call: logarithm},
	"PI":      fixed(0, func([]Value) Value { return NumberOf(math.Pi) }),
	"POWER":   numeric2(math.Pow),
	"RADIANS": numeric(func(f float64) float64 { return f * math.Pi / 180 }),
	"ROUND":   {min: 1, max: 2, call: round},
	"SIGN":    numeric(sign), "SIN": numeric(math.Sin), "SQRT": numeric(math.Sqrt),
	"SQUARE": numeric(func(f float64) float64 { return f * f }),
	"TAN":    numeric(math.Tan), "TRUNC": numeric(math.Trunc),
	"INTADD": integral2(func(a, b int64) int64 { return a + b }), "INTSUB": integral2(func(a, b int64) int64 { return a - b }),
	"INTMUL": integral2(func(a, b int64) int64 { return a * b }), "INTBITAND": integral2(func(a, b int64) int64 { return a & b }),
	"INTBITOR": integral2(func(a, b int64) int64 { return a | b }), "INTBITXOR": integral2(func(a, b int64) int64 { return a ^ b }),
	"INTBITLEFTSHIFT":  integral2(func(a, b int64) int64 { return a << (b & 63) }),
	"INTBITRIGHTSHIFT": integral2(func(a, b int64) int64 { return a >> (b & 63) }),
	"INTBITNOT": fixed(1, func(a []Value) Value {
		i, ok := integer(a[0])
		if !ok {
			return Value{}
		}
		return NumberOf(float64(^i))
	}),
	"INTDIV":    divided(func(a, b int64) int64 { return a / b }),
	"INTMOD":    divided(func(a, b int64) int64 { return a % b }),
	"NUMBERBIN": {min: 1, max: 2, call: numberBin},
	"RAND":      fixed(0, func([]Value) Value { return NumberOf(rand.Float64()) }),
}

func integral2(f func(a, b int64) int64) *function {
	return fixed(2, func(a []Value) Value {
		x, ok1 := integer(a[0])
		y, ok2 := integer(a[1])
		if !ok1 || !ok2 {
			return Value{}
		}
		return NumberOf(float64(f(x, y)))
	})
}

// divided makes a function of two integers that is undefined for a divisor of zero.
func divided(f func(a, b int64) int64) *function {
	whole := integral2(f)
	return fixed(2, func(a []Value) Value {
		if a[1].num == 0 {
			return Value{}
		}
		return whole.call(a)
	})
}

func logarithm(a []Value) Value {
	if a[0].kind != Number || len(a) > 1 && a[1].kind != Number {
		return Value{}
	}
	if len(a) > 1 {
		return finite(math.Log(a[0].num) / math.Log(a[1].num))
	}
	return finite(math.Log(a[0].num))
}

// round rounds halves away from zero, optionally to a number of decimals.
func round(a []Value) Value {
	if a[0].kind != Number {
		return Value{}
	}
	if len(a) == 1 {
		return finite(math.Round(a[0].num))
	}
	digits, ok := integer(a[1])
	if !ok || digits < -300 || digits > 300 {
		return Value{}
	}
	scale := math.Pow(10, float64(digits))
	return finite(math.Round(a[0].num*scale) / scale)
}

func sign(f float64) float64 {
	switch {
	case f > 0:
		return 1
	case f < 0:
		return -1
	}
	return 0
}

// numberBin rounds down to a multiple of a size; with a negative one that is up.
func numberBin(a []Value) Value {
	size := NumberOf(1)
	if len(a) > 1 {
		size = a[1]
	}
	if a[0].kind != Number || size.kind != Number {
		return Value{}
	}
	return finite(math.Floor(a[0].num/size.num) * size.num)
}
