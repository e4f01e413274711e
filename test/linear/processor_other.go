//go:build !linux

package linear

import "time"

var began = time.Now()

// processor is the time that has passed: of a thread's own, other systems tell too coarsely.
func processor() time.Duration { return time.Since(began) }
