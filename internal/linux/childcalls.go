package linux

import (
	"os"

	"golang.org/x/sys/unix"
)

// childCall is a system call for a child to make. The layout is known to
// childcalls_amd64.s.
type childCall struct {
	nr     uintptr
	args   [6]uintptr
	result int // or minus an errno
}

// callsInChild has a child of the calling thread make system calls, one after another, until
// one fails, and gives the result of the last one: what a process that has threads cannot do
// itself, because it would have to join a namespace. The child has memory and descriptors in
// common with this process, and the same safety as that of [InNewUserNS]: it uses no stack,
// every signal is blocked in it, and nobody else sees it end. Where one of the calls hangs, this
// hangs, without a processor (P) of the Go runtime. What the arguments point to must be pinned.
func callsInChild(op string, calls []childCall) (int, error) {
	for i := range calls {
		calls[i].result = -int(unix.ESRCH) // if the child is killed
	}
	if err := inChild(calls); err != nil {
		return 0, err
	}
	for _, c := range calls {
		if c.result < 0 && c.result >= -maxErrno {
			return 0, os.NewSyscallError(op, unix.Errno(-c.result))
		}
	}
	return calls[len(calls)-1].result, nil
}

// maxErrno is the highest errno, MAX_ERRNO of the kernel.
const maxErrno = 4095
