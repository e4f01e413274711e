package worker

import (
	"os/exec"
	"syscall"
)

// bind makes the kernel kill the handler when the host dies, however it dies.
func bind(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
