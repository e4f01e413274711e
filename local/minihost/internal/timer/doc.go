// Package timer fires the timer functions: it reads NCRONTAB and time spans,
// keeps the schedule monitor and calls when a moment has come.
//
// It promises the occurrences of the real host's parser, whose answers are
// replayed by the tests (testdata/ncrontab.json), runs that never overlap, and
// one catch-up run for whatever was missed while a monitored timer was away. All
// times are UTC. The status survives a crash as the old one or the new one. It
// does not know what a run does: that is the caller's.
package timer
