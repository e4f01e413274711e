package timer

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseTimeSpan reads .NET's TimeSpan: [-][d.]hh:mm[:ss[.fffffff]], or a bare
// number of days.
func ParseTimeSpan(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no time span; write hh:mm:ss", text)
	rest, negative := strings.CutPrefix(strings.TrimSpace(text), "-")
	parts := strings.Split(rest, ":")
	if len(parts) > 4 {
		return 0, bad
	}
	var days string
	if i := strings.IndexByte(parts[0], '.'); i >= 0 && len(parts) > 1 {
		days, parts[0] = parts[0][:i], parts[0][i+1:]
	} else if len(parts) == 1 || len(parts) == 4 || (len(parts) == 3 && daysInFront(parts[0])) {
		days, parts = parts[0], parts[1:]
	}
	total, err := unit(days, 10675199, 24*time.Hour)
	if err != nil {
		return 0, bad
	}
	for i, limit := range []int{23, 59, 59} {
		if i >= len(parts) {
			break
		}
		part, fraction := parts[i], ""
		if i == 2 {
			part, fraction, _ = strings.Cut(part, ".")
		}
		d, err := unit(part, limit, time.Hour/[]time.Duration{1, 60, 3600}[i])
		if err != nil || part == "" || len(fraction) > 7 {
			return 0, bad
		}
		f, err := unit(fraction, 9999999, time.Nanosecond)
		if err != nil {
			return 0, bad
		}
		for range 9 - len(fraction) {
			f *= 10
		}
		total += d + f
	}
	if negative {
		total = -total
	}
	return total, nil
}

// daysInFront: "24:00:00" is 24 days, a well-known trap.
func daysInFront(first string) bool {
	n, err := strconv.Atoi(first)
	return err == nil && n > 23
}

func unit(digits string, limit int, of time.Duration) (time.Duration, error) {
	if digits == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || n > uint64(limit) {
		return 0, fmt.Errorf("%q is out of range", digits)
	}
	return time.Duration(n) * of, nil
}
