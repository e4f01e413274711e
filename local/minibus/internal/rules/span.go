package rules

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// spanDescriptor marks a duration on the wire, in .NET ticks of 100 ns: AMQP has none.
const spanDescriptor amqpwire.Symbol = "com.microsoft:timespan"

// span is a duration as AMQP clients of the service encode it.
func span(d time.Duration) any {
	return amqpwire.Described{Descriptor: spanDescriptor, Value: int64(d / 100)}
}

// spanOf is the duration that a value of AMQP is, if it is one.
func spanOf(v any) (time.Duration, bool) {
	d, ok := v.(amqpwire.Described)
	if name, _ := amqpwire.Text(d.Descriptor); !ok || name != string(spanDescriptor) {
		return 0, false
	}
	ticks, ok := amqpwire.Int(d.Value)
	return time.Duration(ticks) * 100, ok && ticks == int64(time.Duration(ticks)*100/100)
}

// netSpan is a TimeSpan as .NET writes it: [-][d.]hh:mm[:ss[.fffffff]].
var netSpan = regexp.MustCompile(`^(?:(\d{1,8})\.)?(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,7})?))?$`)

// asDuration is a value as a duration; null is none.
func asDuration(value any) (time.Duration, error) {
	switch v := value.(type) {
	case nil:
		return 0, nil
	case time.Duration:
		if v > 0 {
			return v, nil
		}
	case string:
		if parts := netSpan.FindStringSubmatch(v); parts != nil {
			var total float64
			for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
				n, _ := strconv.ParseFloat(parts[i+1], 64) // digits, or nothing
				total += n * float64(unit)
			}
			const longest = 100 * 365 * 24 * time.Hour
			if total > 0 && total <= float64(longest) {
				return time.Duration(total), nil
			}
		}
	}
	return 0, fmt.Errorf("%v is no duration: write one as '00:10:00'", value)
}

// asTime is a value as a time; null is the zero time.
func asTime(value any) (time.Time, error) {
	switch v := value.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		return v, nil
	case string:
		for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02"} {
			if t, err := time.Parse(form, v); err == nil {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("%v is no time: write one as '2026-01-31T12:00:00Z'", value)
}
