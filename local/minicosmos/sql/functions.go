package sql

import (
	"maps"
	"math"
)

// function is a built-in scalar function; max is -1 for any number of arguments.
type function struct {
	min, max int
	call     func([]Value) Value
}

// functions by upper-case name.
var functions = func() map[string]*function {
	all := map[string]*function{}
	for _, family := range []map[string]*function{typeFunctions, stringFunctions, mathFunctions, arrayFunctions, timeFunctions} {
		maps.Copy(all, family)
	}
	return all
}()

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
	"IS_FINITE_NUMBER": isKind(func(v Value) bool {
		return v.kind == Number && !math.IsInf(v.num, 0) && !math.IsNaN(v.num)
	}),
	"IS_INTEGER": isKind(func(v Value) bool { return v.kind == Number && v.num == math.Trunc(v.num) && math.Abs(v.num) < 1<<63 }),
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
	"NUMBERBIN":        {min: 1, max: 2, call: numberBin},
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

func numberBin(a []Value) Value {
	size := 1.0
	if len(a) > 1 {
		size = a[1].num
	}
	if a[0].kind != Number || size <= 0 {
		return Value{}
	}
	return finite(math.Floor(a[0].num/size) * size)
}
