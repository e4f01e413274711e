package topology

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

var isoDuration = regexp.MustCompile(`^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

// IsDuration says whether a text is an ISO 8601 duration, also one that is too long for ParseDuration.
func IsDuration(s string) bool { return isoDuration.MatchString(s) }

// ParseDuration reads an ISO 8601 duration; a year has 365 days here and a month 30.
func ParseDuration(s string) (time.Duration, bool) {
	parts := isoDuration.FindStringSubmatch(s)
	if parts == nil || s == "P" || strings.HasSuffix(s, "T") {
		return 0, false
	}
	const day = 24 * time.Hour
	var total float64
	for i, unit := range []time.Duration{365 * day, 30 * day, day, time.Hour, time.Minute, time.Second} {
		if parts[i+1] == "" {
			continue
		}
		n, err := strconv.ParseFloat(parts[i+1], 64)
		if err != nil {
			return 0, false
		}
		total += n * float64(unit)
	}
	const longest = 100 * 365 * day
	return time.Duration(total), total <= float64(longest)
}

// forever is how Service Bus writes "never": the longest .NET TimeSpan.
const forever = "P10675199DT2H48M5.4775807S"

// FormatDuration writes a duration as ISO 8601, as the service does: days, then time. 0 means never.
func FormatDuration(d time.Duration) string {
	if d <= 0 {
		return forever
	}
	return FormatSpan(d)
}

// FormatSpan writes a duration, of which 0 is one.
func FormatSpan(d time.Duration) string {
	const day = 24 * time.Hour
	if d <= 0 {
		return "PT0S"
	}
	var text strings.Builder
	text.WriteByte('P')
	if days := d / day; days > 0 {
		text.WriteString(strconv.FormatInt(int64(days), 10) + "D")
	}
	if d %= day; d == 0 {
		return text.String()
	}
	text.WriteByte('T')
	if hours := d / time.Hour; hours > 0 {
		text.WriteString(strconv.FormatInt(int64(hours), 10) + "H")
	}
	d %= time.Hour
	if minutes := d / time.Minute; minutes > 0 {
		text.WriteString(strconv.FormatInt(int64(minutes), 10) + "M")
	}
	if d %= time.Minute; d > 0 {
		text.WriteString(strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S")
	}
	return text.String()
}
