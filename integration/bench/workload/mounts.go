package main

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const bind = unix.MS_BIND

// mounting mounts and unmounts. It needs CAP_SYS_ADMIN in the user namespace that
// owns the container's mount namespace.
//
// The calls are raw: they take longer than Go's scheduler waits before it gives the
// processor to another thread, and what that costs is this program's and no runtime's.
func mounting(source, fsType string, flags uintptr) func() (repeat, error) {
	return func() (repeat, error) {
		const target = "/bench-mount"
		if err := os.MkdirAll(rootDir, 0o755); err != nil {
			return nil, err
		}
		from, to, kind := cstring(source), cstring(target), cstring(fsType)
		return func(n int) error {
			defer runtime.KeepAlive([]*byte{from, to, kind})
			for range n {
				_, _, errno := syscall.RawSyscall6(unix.SYS_MOUNT, pointer(from), pointer(to), pointer(kind), flags, 0, 0)
				if errno != 0 {
					return &os.PathError{Op: "mount", Path: source, Err: errno}
				}
				_, _, errno = syscall.RawSyscall(unix.SYS_UMOUNT2, pointer(to), 0, 0)
				if errno != 0 {
					return &os.PathError{Op: "unmount", Path: source, Err: errno}
				}
			}
			return nil
		}, os.MkdirAll(target, 0o755)
	}
}

// cstring is a string for the kernel; its memory is not moved.
func cstring(s string) *byte { return &append([]byte(s), 0)[0] }

func pointer(p *byte) uintptr { return uintptr(unsafe.Pointer(p)) }
