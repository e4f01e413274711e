package timer

import (
	"fmt"
	"time"
)

// Schedule tells when a timer fires.
type Schedule interface {
	// Next is the first occurrence strictly after t; zero if there is none.
	Next(t time.Time) time.Time
	// SubMinute: it fires more often than once a minute, and the host does not monitor it.
	SubMinute() bool
}

// Every is a constant interval, counted from the start of the run before it.
type Every time.Duration

// Next is one interval after t.
func (e Every) Next(t time.Time) time.Time { return t.Add(time.Duration(e)) }

// SubMinute: the interval is below a minute.
func (e Every) SubMinute() bool { return time.Duration(e) < time.Minute }

// Parse reads a timer's schedule: NCRONTAB, else a time span.
func Parse(text string) (Schedule, error) {
	c, cronErr := parseCron(text)
	if cronErr == nil {
		return c, nil
	}
	if d, err := ParseTimeSpan(text); err == nil && d > 0 {
		return Every(d), nil
	}
	return nil, fmt.Errorf("schedule %q is neither NCRONTAB (%w) nor a time span hh:mm:ss; every minute is \"0 * * * * *\"", text, cronErr)
}
