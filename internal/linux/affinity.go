package linux

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Affinity fills mask with the processors that thread tid may run on, 0 for the caller: bit
// n of byte m is processor 8m+n, where words are little-endian. It gives how many bytes the
// kernel has for it; the others are left alone. len(mask) must be a multiple of 8. EINVAL:
// mask is too short for the processors that the kernel can have; ESRCH: no such thread.
// sched_getaffinity(2), the system call, of which the one of x/sys hides the result.
func Affinity(tid int, mask []byte) (n int, err error) {
	err = retry(func() error {
		r, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY,
			uintptr(tid), uintptr(len(mask)), uintptr(unsafe.Pointer(unsafe.SliceData(mask))))
		if errno != 0 {
			return errno
		}
		n = int(r)
		return nil
	})
	runtime.KeepAlive(mask)
	return n, os.NewSyscallError("sched_getaffinity", err)
}
