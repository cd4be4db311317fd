package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// listener asks for a seccomp filter that notifies this process; seccomp(2). All calls are
// allowed by it.
func listener([]string) (any, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&filter)))
	if e != 0 {
		return map[string]string{"errno": errno(e)}, nil
	}
	return map[string]string{"errno": errno(unix.Close(int(fd)))}, nil
}
