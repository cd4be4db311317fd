package main

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
)

// int80 makes a system call by the entry of 32-bit programs, which has numbers of
// its own. A kernel without it ends the process with SIGSEGV.
//
//go:noescape
func int80(trap, a1, a2, a3, a4, a5 uint32) int32

// Numbers of system calls on i386; arch/x86/entry/syscalls/syscall_32.tbl.
const (
	i386Mount        = 21
	i386Umount2      = 52
	i386MountSetattr = 442
)

// attack32 tries the main attacks on a read-only mount by 32-bit system calls.
func attack32(args []string) (any, error) {
	path, prefix := args[0], args[1]
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_32BIT)
	if err != nil {
		return nil, err
	}
	copy(page, path)
	attr := (*unix.MountAttr)(unsafe.Pointer(&page[2048]))
	attr.Attr_clr = unix.MOUNT_ATTR_RDONLY
	base := uint32(uintptr(unsafe.Pointer(&page[0])))
	minus100 := int32(unix.AT_FDCWD)

	var report []attempt.Attempt
	for _, a := range []struct {
		name string
		call func() int32
	}{
		{"remount", func() int32 { return int80(i386Mount, base, base, 0, unix.MS_REMOUNT|unix.MS_BIND, 0) }},
		{"mount_setattr", func() int32 {
			return int80(i386MountSetattr, uint32(minus100), base, 0, base+2048, uint32(unsafe.Sizeof(*attr)))
		}},
		{"umount", func() int32 { return int80(i386Umount2, base, 0, 0, 0, 0) }},
	} {
		report = append(report, attackOnce(attack{name: a.name, run: func(string, string) ([]string, error) {
			err := error(nil)
			if r := a.call(); r < 0 {
				err = unix.Errno(-r)
			} else if a.name == "umount" {
				err = errUnlocked
			}
			return nil, err
		}}, path, prefix))
	}
	return report, nil
}
