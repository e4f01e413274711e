//go:build !linux

package parts

import (
	"errors"
	"time"
)

// Measured: what a process has used is known on Linux only.
const Measured = false

// Use is what a process has used.
type Use struct {
	Processor time.Duration // in user mode and in the kernel
	Peak      int64         // most memory that was resident, in bytes
}

// UseOf fails here.
func UseOf(int) (Use, error) { return Use{}, errors.ErrUnsupported }
