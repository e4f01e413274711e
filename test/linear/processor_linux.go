package linear

import (
	"time"

	"golang.org/x/sys/unix"
)

// processor is how long this thread has had a processor.
func processor() time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Nano())
}
