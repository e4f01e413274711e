package parts

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// Supported: freezing, and knowing whose child a process is, are Linux's here.
const Supported = true

const (
	Kill   = syscall.SIGKILL
	Stop   = syscall.SIGSTOP
	Resume = syscall.SIGCONT
)

// bind makes the kernel kill the process when this one dies, however it dies.
func bind(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// parent is the process that has started pid, 0 if there is no pid.
func parent(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // its name may hold anything
	if len(fields) < 2 {
		return 0
	}
	of, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return of
}
