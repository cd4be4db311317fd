package linux

import (
	"os"

	"golang.org/x/sys/unix"
)

// nsGetPIDFromPIDNS is NS_GET_PID_FROM_PIDNS, _IOR(0xb7, 6, int).
const nsGetPIDFromPIDNS = 0x8004b706

// ThreadOf is the caller's number of the thread that has the number tid in the pid
// namespace ns. ESRCH: there is none; kernels from 6.12 on may say ENOTTY then, as those do
// that lack the call. ioctl_nsfs(2), Linux 6.11.
func ThreadOf(ns *os.File, tid int) (int, error) {
	var n int
	err := at("ioctl NS_GET_PID_FROM_PIDNS", ns, "", func(fd int) error {
		r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), nsGetPIDFromPIDNS, uintptr(tid))
		if errno != 0 {
			return errno
		}
		n = int(r)
		return nil
	})
	return n, err
}
