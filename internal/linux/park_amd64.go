package linux

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// cloneParked is clone(2) with the stack pointer unchanged. The child dies
// with the calling thread, whose process is ppid, and sleeps. If join is a
// descriptor and not -1, it joins that user namespace first and stops with
// SIGSTOP, or exits with an errno as its status. In the caller the result is the
// child's process ID, or minus an errno. In park_amd64.s.
//
//go:noescape
func cloneParked(flags, ppid uintptr, join int) (pid int)

// InNewUserNS makes a process in a new user namespace without ID mappings,
// calls fn with its process ID, and kills and reaps it. The process does
// nothing; it is for opening and writing its files below /proc.
//
// The child shares the memory of this process and its descriptor table: no page
// table is copied, which is what makes fork slow in a process with a heap
// (0.07 ms instead of 2 to 6 ms). This is safe because the child is a few
// instructions of assembly that use neither memory nor stack, and because every
// signal is blocked in it, so that no handler of the Go runtime can run there. Its exit signal is 0: it raises
// no SIGCHLD, and wait4(-1) of a reaper elsewhere in the process does not see
// it (wait(2), __WCLONE). It dies with this thread.
func InNewUserNS(fn func(pid int) error) error { return parkedInNewNS(unix.CLONE_NEWUSER, fn) }

// parkedInNewNS is InNewUserNS for the namespaces of CLONE_NEW* flags.
func parkedInNewNS(flags uintptr, fn func(pid int) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := park(flags, -1)
	if err != nil {
		return os.NewSyscallError("clone", err)
	}
	defer reap(pid)
	return fn(pid)
}

// InUserNS makes a process in the user namespace ns, calls fn with its process ID,
// and kills and reaps it: see [InNewUserNS]. A process that has threads, as this
// one, cannot join one itself. EINVAL: ns is the caller's own, or no user
// namespace. Where another user than the caller has made ns, the kernel takes from
// this process, whose memory is shared, that it may dump core (PR_SET_DUMPABLE,
// prctl(2)).
func InUserNS(ns *os.File, fn func(pid int) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer runtime.KeepAlive(ns)
	pid, err := park(0, int(ns.Fd()))
	if err != nil {
		return os.NewSyscallError("clone", err)
	}
	var status unix.WaitStatus
	err = retry(func() error {
		_, err := unix.Wait4(pid, &status, unix.WUNTRACED|unix.WALL, nil)
		return err
	})
	if err == nil && !status.Stopped() { // and so it is reaped
		return &os.PathError{Op: "setns", Path: ns.Name(), Err: unix.Errno(status.ExitStatus())}
	}
	defer reap(pid)
	if err != nil {
		return os.NewSyscallError("wait4", err)
	}
	return fn(pid)
}

func park(flags uintptr, join int) (int, error) {
	ppid := uintptr(unix.Getpid())
	all, old := ^uint64(0), uint64(0)
	sigprocmask(unix.SIG_BLOCK, &all, &old)
	pid := cloneParked(flags|unix.CLONE_VM|unix.CLONE_FILES, ppid, join)
	sigprocmask(unix.SIG_SETMASK, &old, nil)
	if pid < 0 {
		return 0, unix.Errno(-pid)
	}
	return pid, nil
}

func reap(pid int) {
	_ = unix.Kill(pid, unix.SIGKILL)
	_ = retry(func() error {
		_, err := unix.Wait4(pid, nil, unix.WALL, nil)
		return err
	})
}
