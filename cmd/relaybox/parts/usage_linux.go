package parts

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Measured: what a process has used is known here.
const Measured = true

// tick is the kernel's unit of processor time for everybody who asks (USER_HZ).
const tick = 10 * time.Millisecond

// Use is what a process has used.
type Use struct {
	Processor time.Duration // in user mode and in the kernel
	Peak      int64         // most memory that was resident, in bytes
}

// UseOf is what the process pid has used since it began; what its children have used, dead
// ones too, is not in it.
func UseOf(pid int) (Use, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Use{}, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // its name may hold anything
	if len(fields) < 13 {
		return Use{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var u Use
	for _, field := range fields[11:13] { // utime, stime
		ticks, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return Use{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		u.Processor += time.Duration(ticks) * tick
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Use{}, err
	}
	_, peak, ok := bytes.Cut(status, []byte("VmHWM:"))
	if !ok {
		return u, nil // it has just ended
	}
	kilobytes, err := strconv.ParseInt(string(bytes.Fields(peak)[0]), 10, 64)
	if err != nil {
		return Use{}, fmt.Errorf("/proc/%d/status: %w", pid, err)
	}
	u.Peak = kilobytes << 10
	return u, nil
}
