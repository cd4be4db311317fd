package main

import (
	"os"

	"golang.org/x/sys/unix"
)

const bind = unix.MS_BIND

// mounting mounts and unmounts. It needs CAP_SYS_ADMIN in the user namespace that
// owns the container's mount namespace.
func mounting(source, fsType string, flags uintptr) func() (repeat, error) {
	return func() (repeat, error) {
		const target = "/bench-mount"
		if err := os.MkdirAll(rootDir, 0o755); err != nil {
			return nil, err
		}
		return func(n int) error {
			for range n {
				if err := unix.Mount(source, target, fsType, flags, ""); err != nil {
					return &os.PathError{Op: "mount", Path: source, Err: err}
				}
				if err := unix.Unmount(target, 0); err != nil {
					return &os.PathError{Op: "unmount", Path: source, Err: err}
				}
			}
			return nil
		}, os.MkdirAll(target, 0o755)
	}
}
