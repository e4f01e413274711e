package doctor

import (
	"fmt"
	"time"
)

// Clocks: signatures are refused at a quarter of an hour.
const (
	clockWarning = 30 * time.Second
	clockRefused = 5 * time.Minute
)

// CheckClock judges how far a service's clock is ahead of ours.
func CheckClock(ahead time.Duration) Finding {
	const subject, remedy = "clock", "set this machine's clock, by NTP; signatures fail from 15m on"
	found := "agrees with ours"
	if ahead != 0 {
		found = fmt.Sprintf("%s %s ours", span(ahead.Abs()), map[bool]string{true: "ahead of", false: "behind"}[ahead > 0])
	}
	switch {
	case ahead.Abs() > clockRefused:
		return finding(Refused, subject, found, remedy)
	case ahead.Abs() > clockWarning:
		return finding(Warning, subject, found, remedy)
	}
	return ok(subject, "%s", found)
}
