package linux

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// forkCalls is clone(2) with a child that makes system calls until one fails, and exits. It
// gives the child's process ID, or minus an errno. In childcalls_amd64.s.
//
//go:noescape
func forkCalls(flags uintptr, calls *childCall, n int) (pid int)

func inChild(calls []childCall) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var pins runtime.Pinner // the child writes there while the stack of this one may move
	pins.Pin(&calls[0])
	defer pins.Unpin()
	all, old := ^uint64(0), uint64(0)
	sigprocmask(unix.SIG_BLOCK, &all, &old)
	pid := forkCalls(unix.CLONE_VM|unix.CLONE_FILES, &calls[0], len(calls))
	sigprocmask(unix.SIG_SETMASK, &old, nil)
	if pid < 0 {
		return os.NewSyscallError("clone", unix.Errno(-pid))
	}
	err := retry(func() error {
		_, err := unix.Wait4(pid, nil, unix.WALL, nil)
		return err
	})
	return os.NewSyscallError("wait4", err)
}
