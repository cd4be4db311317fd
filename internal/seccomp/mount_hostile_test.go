package seccomp

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestMountHostile: what somebody tries who wants to see the kernel's own files.
func TestMountHostile(t *testing.T) {
	for _, tt := range []scriptTest{
		{"pseudo-files stay, whatever the caller's root directory", `
			mkdir p
			mkdir root
			mount proc p proc = done
			open 9 p
			open 8 p/uptime
			chroot root
			cdfd 9
			umount uptime detach = EINVAL
			mount uptime version - move = EINVAL
			movefd 8 - uptime from-empty = EINVAL
			shows uptime = pseudo
		`},
		{"nothing goes beneath a pseudo-file", `
			mkdir p
			file f
			mount proc p proc = done
			tree 9 cwd f clone = done
			movefd 9 - p/uptime from-empty,beneath = EINVAL
			umount p/uptime = EINVAL
			mount f p/uptime - bind = done
			mount p/meminfo p/uptime - bind = done
			umount p/uptime = done
			umount p/uptime = done
			umount p/uptime = EINVAL
			shows p/uptime = pseudo
		`},
		{"a part of a proc that is mounted over itself hides no more than it shows", `
			mkdir p
			mkdir q
			mount proc p proc = done
			mount p/sys p/sys - bind = done
			umount p/sys = done
			mount p/sys p/sys - bind = done
			umount p/sys detach = done
			umount p/sys/kernel/panic = EINVAL
			mount p/sys q - bind = done
			umount q = done
			mount proc p proc = done
			umount p = done
			umount p = done
		`},
		{"a magic number of old programs is no flags", `
			mkdir p
			mount proc p proc magic - = done
			shows p/uptime = pseudo
			mount - p - magic,remount,bind,ro - = done
			write p/sys/kernel/panic = EROFS
		`},
		{"memory that the agent cannot read", `
			mkdir p
			mount proc p proc = done
			secret umount p/uptime = EFAULT
			secret mount proc p = EFAULT
			secret fsopen proc = EFAULT
			shows p/uptime = pseudo
		`},
		{"what is mounted over a process is not read for /proc/self", `
			mkdir p
			mount proc /proc proc = done
			mount none /proc/1 tmpfs = done
			link /dev/null /proc/1/status
			umount /proc/self/x = ENOENT
			umount /proc/self/../uptime detach = EINVAL
			rm /proc/1/status
			link . /proc/1/x
			umount /proc/self/x = done
			shows /proc/uptime = pseudo
		`},
		{"in namespaces below, the kernel holds what covers", `
			mkdir p
			mount proc /proc proc = done
			nested mp mount_proc_p_proc;setattr_p/uptime;setattr_p;write_p/sys/kernel/panic = done, done, done, done
			nested mp mount_proc_p_proc_ro_-;setattr_p/uptime;setattr_p;write_p/sys/kernel/panic = done, EPERM, EPERM, EROFS
		`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			linuxtest.NoLeak(t)
			tt.run(t, newBox(t))
		})
	}
}

// secret makes a call with a string that the kernel can read, and no other process:
// memfd_secret(2).
func secret(w []string) (string, error) { // call, string, more
	const memfdSecret = 447
	n, _, errno := unix.Syscall(memfdSecret, 0, 0, 0)
	if errno != 0 {
		return "", errno
	}
	memory := int(n)
	defer unix.Close(memory)
	if err := unix.Ftruncate(memory, 4096); err != nil {
		return "", err
	}
	text, err := unix.Mmap(memory, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return "", err
	}
	defer unix.Munmap(text)
	copy(text, w[1])
	more, err := unix.ByteSliceFromString(w[2])
	if err != nil {
		return "", err
	}
	switch w[0] {
	case "mount":
		_, _, errno = unix.Syscall6(unix.SYS_MOUNT, addressOf(more), addressOf(more), addressOf(text), 0, 0, 0)
	case "umount":
		_, _, errno = unix.Syscall(unix.SYS_UMOUNT2, addressOf(text), unix.MNT_DETACH, 0)
	case "fsopen":
		_, _, errno = unix.Syscall(unix.SYS_FSOPEN, addressOf(text), 0, 0)
	}
	runtime.KeepAlive(more)
	if errno != 0 {
		return "", errno
	}
	return "done", nil
}
