package linux

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadMemory reads from the memory of another process into buf; it may be less than that,
// where the rest is not mapped. EFAULT: nothing is. process_vm_readv(2).
func ReadMemory(pid int, address uint64, buf []byte) (int, error) {
	if len(buf) == 0 {
		return 0, nil
	}
	local := unix.Iovec{Base: &buf[0]}
	local.SetLen(len(buf))
	remote := unix.RemoteIovec{Base: uintptr(address), Len: len(buf)}
	n, _, errno := unix.Syscall6(unix.SYS_PROCESS_VM_READV, uintptr(pid),
		uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("process_vm_readv", errno)
	}
	return int(n), nil
}
