package sql

import (
	"math"
	"strings"
	"time"
)

// isoFormat is how the service writes times: seven decimals, UTC.
const isoFormat = "2006-01-02T15:04:05.0000000Z"

var timeFunctions = map[string]*function{
	"GETCURRENTDATETIME":        fixed(0, func([]Value) Value { return timeValue(time.Now()) }),
	"GETCURRENTTIMESTAMP":       fixed(0, func([]Value) Value { return milliseconds(time.Now()) }),
	"GETCURRENTTICKS":           fixed(0, func([]Value) Value { return ticks(time.Now()) }),
	"GETCURRENTDATETIMESTATIC":  {in: func(e *env, _ []Value) Value { return timeValue(e.now) }},
	"GETCURRENTTIMESTAMPSTATIC": {in: func(e *env, _ []Value) Value { return milliseconds(e.now) }},
	"GETCURRENTTICKSSTATIC":     {in: func(e *env, _ []Value) Value { return ticks(e.now) }},
	"NOW":                       fixed(0, func([]Value) Value { return timeValue(time.Now()) }),
	"AGO":                       fixed(2, ago),
	"DATETIMEADD":               fixed(3, dateTimeAdd),
	"DATETIMEBIN":               {min: 2, max: 4, call: dateTimeBin},
	"DATETIMEDIFF":              fixed(3, dateTimeDiff),
	"DATETIMEFORMAT":            fixed(2, dateTimeFormat),
	"DATETIMEFROMPARTS":         {min: 3, max: 7, call: dateTimeFromParts},
	"DATETIMEPART": fixed(2, func(a []Value) Value {
		u, t, ok := unitAndTime(a[0], a[1])
		if !ok {
			return Value{}
		}
		return NumberOf(float64(u.part(t)))
	}),
	"YEAR":                timed(func(t time.Time) Value { return NumberOf(float64(t.Year())) }),
	"MONTH":               timed(func(t time.Time) Value { return NumberOf(float64(t.Month())) }),
	"DAY":                 timed(func(t time.Time) Value { return NumberOf(float64(t.Day())) }),
	"DATETIMETOTICKS":     timed(ticks),
	"DATETIMETOTIMESTAMP": timed(milliseconds),
	"TICKSTODATETIME": fixed(1, func(a []Value) Value {
		if n := a[0].num; a[0].kind == Number && n == math.Trunc(n) && math.Abs(n) < 1<<62 {
			return timeValue(time.Unix(int64(n)/1e7, int64(n)%1e7*100))
		}
		return Value{}
	}),
	"TIMESTAMPTODATETIME": fixed(1, func(a []Value) Value {
		ms, ok := integer(a[0])
		if !ok {
			return Value{}
		}
		return timeValue(time.UnixMilli(ms))
	}),
}

// parseTime reads what the reference's page of IS_DATETIME calls valid: a date, perhaps a
// time behind T or a blank with up to seven decimals, perhaps Z.
func parseTime(s string) (time.Time, bool) {
	s = strings.TrimSuffix(s, "Z")
	layout := time.DateOnly
	if len(s) > len(layout) {
		layout = "2006-01-02T15:04:05"
		if s[len(time.DateOnly)] == ' ' {
			layout = time.DateTime
		}
	}
	if decimals := len(s) - len(layout); decimals < 0 || decimals > 8 || decimals > 0 && s[len(layout)] != '.' {
		return time.Time{}, false // time.Parse takes an hour of one digit, a comma and nanoseconds
	}
	t, err := time.Parse(layout, s)
	return t, err == nil && t.Year() > 0
}

// timeValue is a time as a query sees it, undefined outside the years 1 to 9999.
func timeValue(t time.Time) Value {
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return Value{}
	}
	return StringOf(t.Format(isoFormat))
}

// timed makes a function of one time.
func timed(f func(time.Time) Value) *function {
	return str(func(s string) Value {
		t, ok := parseTime(s)
		if !ok {
			return Value{}
		}
		return f(t)
	})
}

// ticks are the 100 ns since 1970.
func ticks(t time.Time) Value {
	return NumberOf(float64(t.Unix()*1e7 + int64(t.Nanosecond()/100)))
}

func milliseconds(t time.Time) Value { return NumberOf(float64(t.UnixMilli())) }

func unitAndTime(part, at Value) (u unit, t time.Time, ok bool) {
	if part.kind != String || at.kind != String {
		return u, t, false
	}
	if u, ok = units[part.str]; ok {
		t, ok = parseTime(at.str)
	}
	return u, t, ok
}

func ago(a []Value) Value {
	n, ok := integer(a[1])
	if u, known := units[a[0].str]; ok && known && a[0].kind == String {
		return u.add(time.Now().UTC(), -n)
	}
	return Value{}
}

func dateTimeAdd(a []Value) Value {
	u, t, ok := unitAndTime(a[0], a[2])
	n, whole := integer(a[1])
	if !ok || !whole {
		return Value{}
	}
	return u.add(t, n)
}

func dateTimeDiff(a []Value) Value {
	u, from, ok1 := unitAndTime(a[0], a[1])
	to, ok2 := parseTime(a[2].str)
	if !ok1 || !ok2 || a[2].kind != String {
		return Value{}
	}
	return NumberOf(u.between(from, to))
}

// firstBin is the earliest start of bins, where Windows begins to count.
var firstBin = time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)

func dateTimeBin(a []Value) Value {
	u, t, ok := unitAndTime(a[1], a[0])
	size, start := int64(1), time.Unix(0, 0)
	if ok && len(a) > 2 {
		size, ok = integer(a[2])
	}
	if ok && len(a) > 3 {
		start, ok = parseTime(a[3].str)
		ok = ok && a[3].kind == String && !start.Before(firstBin)
	}
	if !ok || size <= 0 || u.months > 0 {
		return Value{}
	}
	return u.floor(t, size, start)
}

func dateTimeFromParts(a []Value) Value {
	parts := [7]int{}
	for i, v := range a {
		n, ok := integer(v)
		if !ok || n < 0 || n > 9999999 {
			return Value{}
		}
		parts[i] = int(n)
	}
	t := time.Date(parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], parts[6]*100, time.UTC)
	asked := [6]int{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second()}
	if asked != [6]int(parts[:6]) {
		return Value{} // February 30
	}
	return timeValue(t)
}
