package admin

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// Forever is what the service means by P10675199DT2H48M5.4775807S, .NET's longest span,
// and what every span becomes that is too long for a time.Duration.
const Forever time.Duration = math.MaxInt64

var spanPattern = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

// ParseDuration reads an ISO 8601 duration as Service Bus and its templates write it: of
// days, hours, minutes and seconds.
func ParseDuration(text string) (time.Duration, error) {
	m := spanPattern.FindStringSubmatch(text)
	if m == nil || text[len(text)-1] == 'P' || text[len(text)-1] == 'T' {
		return 0, fmt.Errorf("%q is no duration like P1D or PT10M", text)
	}
	seconds := 0.0
	for i, unit := range []float64{24 * 60 * 60, 60 * 60, 60, 1} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.ParseFloat(m[i+1], 64)
		if err != nil {
			return Forever, nil // only a number beyond all floats
		}
		seconds += n * unit
	}
	if seconds >= Forever.Seconds() {
		return Forever, nil
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// durations reads properties and keeps the first fault.
type durations struct{ err error }

func (d *durations) read(name string, text *string, otherwise time.Duration) time.Duration {
	if text == nil || *text == "" {
		return otherwise
	}
	v, err := ParseDuration(*text)
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("%s: %w", name, err)
	}
	return v
}
