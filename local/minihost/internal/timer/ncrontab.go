package timer

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// cron is a parsed NCRONTAB text, by NCrontab's rules: five or six fields
// separated by spaces; day of month and day of week must both match; a range
// that runs backwards is turned round; a step below one counts as one.
type cron struct {
	second, minute, hour, day, month, weekday uint64 // bit n: value n
}

type cronField struct {
	name     string
	min, max int
	names    []string
}

var cronFields = []cronField{
	{"second", 0, 59, nil},
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day", 1, 31, nil},
	{"month", 1, 12, []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}},
	{"day of week", 0, 6, []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}},
}

// parseCron reads a six-part text, or five parts for a schedule at second 0.
func parseCron(text string) (*cron, error) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' })
	if len(parts) == 5 {
		parts = append([]string{"0"}, parts...)
	}
	if len(parts) != len(cronFields) {
		return nil, fmt.Errorf("%d fields, not {second} {minute} {hour} {day} {month} {day-of-week}", len(parts))
	}
	var sets [6]uint64
	for i, f := range cronFields {
		set, err := f.parse(parts[i])
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", f.name, parts[i], err)
		}
		sets[i] = set
	}
	return &cron{sets[0], sets[1], sets[2], sets[3], sets[4], sets[5]}, nil
}

func (f cronField) parse(text string) (uint64, error) {
	if strings.Index(text, ",") <= 0 {
		return f.parseOne(text)
	}
	var set uint64
	for part := range strings.SplitSeq(text, ",") {
		s, err := f.parseOne(part)
		if err != nil {
			return 0, err
		}
		set |= s
	}
	return set, nil
}

func (f cronField) parseOne(text string) (uint64, error) {
	step, stepped := 1, false
	if i := strings.IndexByte(text, '/'); i > 0 {
		n, err := cronInt(text[i+1:])
		if err != nil {
			return 0, err
		}
		step, stepped, text = max(n, 1), true, text[:i]
	}
	if text == "*" {
		return span(f.min, f.max, step), nil
	}
	if i := strings.IndexByte(text, '-'); i > 0 {
		first, err := f.value(text[:i])
		if err != nil {
			return 0, err
		}
		last, err := f.value(text[i+1:])
		if err != nil {
			return 0, err
		}
		return span(min(first, last), max(first, last), step), nil
	}
	v, err := f.value(text)
	switch {
	case err != nil:
		return 0, err
	case stepped:
		return span(v, f.max, step), nil
	default:
		return span(v, v, 1), nil
	}
}

// value is a number, or a name by any prefix in any case.
func (f cronField) value(text string) (int, error) {
	if text == "" {
		return 0, errors.New("empty value")
	}
	if text[0] >= '0' && text[0] <= '9' {
		n, err := cronInt(text)
		if err == nil && (n < f.min || n > f.max) {
			err = fmt.Errorf("%d is not in %d-%d", n, f.min, f.max)
		}
		return n, err
	}
	for i, name := range f.names {
		if len(text) <= len(name) && strings.EqualFold(name[:len(text)], text) {
			return i + f.min, nil
		}
	}
	return 0, fmt.Errorf("%q is neither a number nor a name", text)
}

// cronInt parses as .NET does: a sign and white space around are allowed.
func cronInt(text string) (int, error) {
	n, err := strconv.ParseInt(strings.Trim(text, "\t\n\v\f\r "), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return int(n), nil
}

func span(first, last, step int) uint64 {
	var set uint64
	for i := first; i <= last; i += step {
		set |= 1 << i
	}
	return set
}

// gregorianCycle is the number of months after which the calendar repeats: a
// schedule without an occurrence in it has none at all.
const gregorianCycle = 400 * 12

// Next is the first occurrence strictly after t, in UTC; zero if there is none.
func (c *cron) Next(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Second).Add(time.Second)
	for months := 0; months <= gregorianCycle; months++ {
		if c.month>>uint(t.Month())&1 != 0 {
			if next, ok := c.inMonth(t); ok {
				return next
			}
		}
		t = time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Time{}
}

// inMonth finds the first occurrence from t to the end of its month.
func (c *cron) inMonth(t time.Time) (time.Time, bool) {
	for month := t.Month(); t.Month() == month; t = time.Date(t.Year(), month, t.Day()+1, 0, 0, 0, 0, time.UTC) {
		if c.day>>uint(t.Day())&1 == 0 || c.weekday>>uint(t.Weekday())&1 == 0 {
			continue
		}
		if h, m, s, ok := c.clock(t.Clock()); ok {
			return time.Date(t.Year(), month, t.Day(), h, m, s, 0, time.UTC), true
		}
	}
	return time.Time{}, false
}

// clock is the first time of day that matches, not before h:m:s.
func (c *cron) clock(h, m, s int) (int, int, int, bool) {
	lowest := func(set uint64) int { return bits.TrailingZeros64(set) }
	if c.hour>>h&1 != 0 {
		if c.minute>>m&1 != 0 {
			if n, ok := from(c.second, s); ok {
				return h, m, n, true
			}
		}
		if n, ok := from(c.minute, m+1); ok {
			return h, n, lowest(c.second), true
		}
	}
	n, ok := from(c.hour, h+1)
	return n, lowest(c.minute), lowest(c.second), ok
}

func from(set uint64, n int) (int, bool) {
	rest := set >> n << n
	return bits.TrailingZeros64(rest), rest != 0
}

// SubMinute: all fields but the seconds are wild and there is more than one
// second. The host does not monitor such a schedule.
func (c *cron) SubMinute() bool {
	wild := cron{c.second, span(0, 59, 1), span(0, 23, 1), span(1, 31, 1), span(1, 12, 1), span(0, 6, 1)}
	return *c == wild && bits.OnesCount64(c.second) > 1
}
