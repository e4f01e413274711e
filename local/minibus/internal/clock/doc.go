// Package clock is the broker's time: the real one, and what tests have skipped. Alarms are points of it at which
// something ends.
//
// What it promises: alarms ring in the order of their times, and those of one moment in the order in which they were set,
// each once. [Clock.Advance] rings all that it passes before it returns. It does not know what ends.
//
// Alarms are guarded by the lock of the clock's owner (the broker's): Set, Cancel and Advance are called with it held, and
// Ring is.
package clock
