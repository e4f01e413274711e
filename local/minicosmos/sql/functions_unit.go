package sql

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// unit is a part of a time that functions name: a number of months or of nanoseconds.
type unit struct {
	months int64
	nanos  int64
	part   func(time.Time) int
}

// units by the names that the reference has for them.
var units = func() map[string]unit {
	all := map[string]unit{}
	for names, u := range map[string]unit{
		"year yyyy yy":    {months: 12, part: time.Time.Year},
		"month mm m":      {months: 1, part: func(t time.Time) int { return int(t.Month()) }},
		"day dd d":        {nanos: 24 * int64(time.Hour), part: time.Time.Day},
		"hour hh":         {nanos: int64(time.Hour), part: time.Time.Hour},
		"minute mi n":     {nanos: int64(time.Minute), part: time.Time.Minute},
		"second ss s":     {nanos: int64(time.Second), part: time.Time.Second},
		"millisecond ms":  {nanos: int64(time.Millisecond), part: func(t time.Time) int { return t.Nanosecond() / 1e6 }},
		"microsecond mcs": {nanos: int64(time.Microsecond), part: func(t time.Time) int { return t.Nanosecond() / 1e3 }},
		"nanosecond ns":   {nanos: 1, part: time.Time.Nanosecond},
	} {
		for name := range strings.FieldsSeq(names) {
			all[name] = u
		}
	}
	return all
}()

// maxAdded is more units than any two times are apart in days, hours, minutes or seconds.
const maxAdded = 1 << 40

func (u unit) add(t time.Time, n int64) Value {
	switch {
	case u.months > 0:
		return addMonths(t, n, u.months)
	case u.nanos >= int64(time.Second):
		if n < -maxAdded || n > maxAdded {
			return Value{}
		}
		return timeValue(time.Unix(t.Unix()+n*(u.nanos/1e9), int64(t.Nanosecond())))
	}
	perSecond := int64(time.Second) / u.nanos
	return timeValue(time.Unix(t.Unix()+n/perSecond, int64(t.Nanosecond())+n%perSecond*u.nanos))
}

// addMonths goes to the last day of a month that has no such day.
func addMonths(t time.Time, n, months int64) Value {
	if n < -120000 || n > 120000 {
		return Value{}
	}
	first := time.Date(t.Year(), t.Month()+time.Month(n*months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return timeValue(first.AddDate(0, 0, min(t.Day(), last)-1))
}

// between counts the borders of the unit that are crossed from one time to another.
func (u unit) between(from, to time.Time) float64 {
	switch {
	case u.months > 0:
		month := func(t time.Time) int64 { return (int64(t.Year())*12 + int64(t.Month()) - 1) / u.months }
		return float64(month(to) - month(from))
	case u.nanos >= int64(time.Second):
		seconds := float64(u.nanos / 1e9)
		return math.Floor(float64(to.Unix())/seconds) - math.Floor(float64(from.Unix())/seconds)
	}
	return float64(to.Unix()-from.Unix())*(1e9/float64(u.nanos)) + float64(int64(to.Nanosecond())/u.nanos-int64(from.Nanosecond())/u.nanos)
}

// floor returns the start of the bin of n units that a time is in.
func (u unit) floor(t time.Time, n int64, start time.Time) Value {
	second := big.NewInt(1e9)
	nanos := func(t time.Time) *big.Int {
		d := new(big.Int).Mul(big.NewInt(t.Unix()), second)
		return d.Add(d, big.NewInt(int64(t.Nanosecond())))
	}
	bin := new(big.Int).Mul(big.NewInt(n), big.NewInt(u.nanos))
	d := new(big.Int).Sub(nanos(t), nanos(start))
	into := d.Mod(d, bin) // never negative
	at := new(big.Int).Sub(nanos(t), into)
	seconds, rest := at.DivMod(at, second, new(big.Int))
	if !seconds.IsInt64() {
		return Value{}
	}
	return timeValue(time.Unix(seconds.Int64(), rest.Int64()))
}

// dateTimeFormat writes a time in .NET's letters, as far as they are numbers: y M d H h m
// s f F t. Other characters, and any behind a backslash, stand for themselves.
func dateTimeFormat(a []Value) Value {
	t, ok := parseTime(a[0].str)
	if a[0].kind != String || a[1].kind != String || !ok || len(a[1].str) > maxPattern {
		return Value{}
	}
	var b strings.Builder
	for layout := a[1].str; layout != ""; {
		run := 1
		for run < len(layout) && layout[run] == layout[0] {
			run++
		}
		switch c := layout[0]; {
		case c == '\\' && len(layout) > 1:
			layout = layout[1:]
			b.WriteByte(layout[0])
			run = 1
		case !strings.ContainsRune("yMdHhmsfFt", rune(c)):
			b.WriteString(layout[:run])
		default:
			text, ok := formatPart(t, c, run)
			if !ok {
				return Value{}
			}
			b.WriteString(text)
		}
		layout = layout[run:]
	}
	return StringOf(b.String())
}

// goLayouts are letters of .NET in Go's layout, for one and for two of them.
var goLayouts = map[byte][2]string{
	'M': {"1", "01"}, 'd': {"2", "02"}, 'h': {"3", "03"}, 'm': {"4", "04"}, 's': {"5", "05"}, 't': {"", "PM"},
}

func formatPart(t time.Time, letter byte, run int) (string, bool) {
	decimals := fmt.Sprintf("%07d", t.Nanosecond()/100)
	switch {
	case letter == 'f' && run <= 7:
		return decimals[:run], true
	case letter == 'F' && run <= 7:
		return strings.TrimRight(decimals[:run], "0"), true
	case letter == 'y' && run == 4:
		return t.Format("2006"), true
	case letter == 'y' && run == 2:
		return t.Format("06"), true
	case letter == 'H' && run == 2:
		return t.Format("15"), true
	case letter == 'H' && run == 1:
		return strings.TrimPrefix(t.Format("15"), "0"), true
	}
	if layouts, ok := goLayouts[letter]; ok && run <= 2 && layouts[run-1] != "" {
		return t.Format(layouts[run-1]), true
	}
	return "", false
}
