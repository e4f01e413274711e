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

// CheckRetention holds RELAYBOX_INBOX_RETENTION against the topic: a receipt has to outlive
// the broker's own memory. It need not outlive the messages: what is older than its read
// model is dropped by its number.
func CheckRetention(retention time.Duration, t Topic) Finding {
	const subject = "inbox retention"
	if t.DuplicateDetection && retention <= t.DuplicateWindow {
		return finding(Refused, subject, fmt.Sprintf("%s, not longer than the broker's duplicate detection window of %s", span(retention), span(t.DuplicateWindow)),
			"set RELAYBOX_INBOX_RETENTION above the window, 168h for instance")
	}
	return ok(subject, "%s, longer than the duplicate detection window", span(retention))
}
