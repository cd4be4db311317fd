package linux

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigprocmask changes which signals the calling thread blocks; rt_sigprocmask(2). It cannot
// fail with these arguments.
func sigprocmask(how uintptr, set, old *uint64) {
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, how,
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), unsafe.Sizeof(*set), 0, 0)
}
