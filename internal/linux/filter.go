package linux

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	seccompNewListener  = 1 << 3 // SECCOMP_FILTER_FLAG_NEW_LISTENER
	seccompWaitKillable = 1 << 5 // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
)

// InstallFilter puts a seccomp filter on the calling thread and what it will start, and gives
// its listener. It stays there for good: only in [OnThread], or where the program is the
// filter's. The thread needs CAP_SYS_ADMIN in its user namespace, or no_new_privs. EBUSY: it
// has a filter with a listener. seccomp(2), Linux 5.0. killable: a call that somebody looks at
// is interrupted by SIGKILL only, Linux 5.19.
func InstallFilter(program []unix.SockFilter, killable bool) (*os.File, error) {
	flags := uintptr(seccompNewListener)
	if killable {
		flags |= seccompWaitKillable
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: unsafe.SliceData(program)}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags,
		uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(program)
	if errno != 0 {
		return nil, os.NewSyscallError("seccomp", errno)
	}
	unix.CloseOnExec(int(fd))
	return os.NewFile(fd, "seccomp listener"), nil
}
