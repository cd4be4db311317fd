package linux

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// inNewUserNS is InNewUserNS by the means of the standard library: a fork of
// this process that stops, traced, when it executes. It copies the page tables,
// so it costs milliseconds.
//
// A reaper elsewhere in the process may collect the child first (ECHILD),
// which does no harm: the child lives until it is killed here.
func inNewUserNS(fn func(pid int) error) error { return inNewNS(unix.CLONE_NEWUSER, fn) }

// inNewNS is inNewUserNS for the namespaces of CLONE_NEW* flags.
func inNewNS(flags uintptr, fn func(pid int) error) error {
	pidfd := -1
	p, err := os.StartProcess("/proc/self/exe", []string{"userns"}, &os.ProcAttr{
		Sys: &syscall.SysProcAttr{
			Cloneflags: flags,
			Ptrace:     true,
			Pdeathsig:  syscall.SIGKILL,
			PidFD:      &pidfd,
		},
	})
	if err != nil {
		return err
	}
	defer func() {
		_ = p.Kill()
		_, _ = p.Wait()
		if pidfd >= 0 {
			_ = unix.Close(pidfd)
		}
	}()
	return fn(p.Pid)
}
