package seccomp

import (
	"testing"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestMount: new instances of proc and sysfs, and what is done with them.
func TestMount(t *testing.T) {
	for _, tt := range []scriptTest{
		{"a proc", `
			mkdir p
			mount proc p proc = done
			shows p/uptime = pseudo
			shows p/sys/kernel/panic = pseudo
			shows p/self/status = kernel
			pids p = 1
			options p = proc proc rw,relatime rw
			below p = 38
			umount p = done
			below p = 0
		`},
		{"a proc over /proc", `
			mount proc /proc proc nosuid,nodev,noexec - = done
			shows /proc/uptime = pseudo
			pids /proc = 1
			options /proc = proc proc rw,nosuid,nodev,noexec,relatime rw
		`},
		{"a proc with options", `
			mkdir p
			mount some p proc nosuid,noatime hidepid=2,gid=5,subset=pid = done
			options p = proc some rw,nosuid,noatime rw,gid=700005,hidepid=invisible,subset=pid
			exists p/uptime = ENOENT
			umount p = done
		`},
		{"a proc that is read-only", `
			mkdir p
			mount proc p proc ro - = done
			write p/sys/kernel/panic = EROFS
			mount - p - remount,bind - = done
		`},
		{"wrong options", `
			mkdir p
			mount proc p proc - nonsense = EINVAL
			mount proc p proc - gid=70000 = EINVAL
			mount proc p proc - gid=x = EINVAL
			mount proc p proc - pidns=/proc/self/ns/pid = EINVAL
			mount proc p proc nouser - = EINVAL
			below p = 0
		`},
		{"a sysfs", `
			mkdir s
			mount sysfs s sysfs = done
			exists s/class/net/lo = done
			below s = 2
			options s = sysfs sysfs rw,relatime rw
			mount sysfs s sysfs = EBUSY
			umount s = done
		`},
		{"in a chroot, by relative and absolute links", `
			mkdir root/a/b
			mkdir root/c
			link /c root/a/abs
			link ../c root/a/rel
			link ../../../../../../c root/a/up
			cd root
			chroot .
			cd a
			mount proc abs proc = done
			shows /c/uptime = pseudo
			umount ../../../c = done
			mount proc rel proc = done
			umount /a/abs = done
			mount proc up proc = done
			shows /c/uptime = pseudo
			umount rel = done
			mount proc ./b/../../c proc = done
			shows /c/uptime = pseudo
		`},
		{"on a descriptor", `
			mount proc /proc proc = done
			mkdir d/e
			open 9 d
			mount proc /proc/self/fd/9 proc = done
			shows d/uptime = pseudo
			umount d = done
			mount proc /proc/thread-self/fd/9/e proc = done
			shows d/e/uptime = pseudo
			umount d/e = done
			mount proc /proc/1/fd/9/e/.. proc = done
			shows d/uptime = pseudo
			umount d = done
			mount proc /proc/self/cwd/d proc = done
			shows d/uptime = pseudo
			umount d = done
			mount proc /proc/self/fd/99 proc = ENOENT
			file f
			open 8 f
			mount proc /proc/self/fd/8 proc = ENOTDIR
		`},
		{"binds keep the pseudo-files", `
			mkdir p
			mkdir q
			mkdir r
			mount proc p proc = done
			mount p q - bind = done
			shows q/uptime = pseudo
			below q = 38
			mount p/sys r - bind = done
			shows r/kernel/panic = pseudo
			umount r = done
			umount q = done
			mount p q - rbind = done
			umount q detach = done
			file f
			mount p/uptime f - bind = done
			shows f = pseudo
			umount f = done
			mount p f - bind = ENOTDIR
			mount p missing - bind = ENOENT
		`},
		{"pseudo-files stay", `
			mkdir p
			file f
			mount proc p proc = done
			umount p/uptime = EINVAL
			umount p/uptime detach = EINVAL
			mount p/uptime f - move = EINVAL
			movefd cwd p/uptime f = EINVAL
			open 9 p/uptime
			movefd 9 - f from-empty = EINVAL
			umount p/sys/fs/inotify = EINVAL
			umount p/sys/net/core = EINVAL
			umount p/sys/net/core detach = EINVAL
			umount /proc/self/cwd/p/sys/net/core detach = EINVAL
			movefd cwd p/sys/net/core f = EINVAL
			mkdir d
			mount p/sys/net d - bind = done
			umount d/core detach = EINVAL
			umount d = done
			link p/uptime l
			umount l = EINVAL
			umount l nofollow = EINVAL
			mount proc /proc proc = done
			umount /proc/self/root/proc/version detach = EINVAL
			umount /proc/1/root/proc/uptime detach = EINVAL
			umount /proc/1/cwd/p/uptime detach = EINVAL
			umount /proc/self/task/1/root/proc/uptime detach = EINVAL
			link /proc/self/root r
			umount r/proc/uptime detach = EINVAL
			open 7 p
			umount /proc/self/fd/7/uptime detach = EINVAL
			close 7
			shows p/uptime = pseudo
			close 9
			mount p/uptime f - bind = done
			umount f = done
		`},
		{"remounts take the pseudo-files along", `
			mkdir p
			mount proc p proc = done
			write p/sys/kernel/panic = done
			mount - p - remount,bind,ro - = done
			write p/sys/kernel/panic = EROFS
			mount - p - remount,bind - = done
			write p/sys/kernel/panic = done
			mount - p - remount,ro - = done
			write p/sys/kernel/panic = EROFS
		`},
		{"umount of what carries something else", `
			mkdir p
			mount proc p proc = done
			mount none p/sys/fs tmpfs = done
			umount p = EBUSY
			umount p/sys/fs = done
			umount p expire = EBUSY
			umount p unknown = EINVAL
			umount p force = done
			below p = 0
		`},
		{"umount of what is in use", `
			mkdir p
			mount none p tmpfs = done
			open 9 p
			umount p = EBUSY
			close 9
			umount p = done
			umount p = EINVAL
			umount - = ENOENT
		`},
		{"fsopen", `
			fsopen proc = ENOSYS
			fsopen sysfs = ENOSYS
			fsopen tmpfs = done
			fsopen nonsense = ENODEV
			fsopen - = ENODEV
		`},
		{"open_tree", `
			mkdir p
			mkdir q
			mount proc p proc = done
			tree 9 cwd p clone,cloexec = done
			movefd 9 - q from-empty = done
			shows q/uptime = pseudo
			close 9
			below q = 36
			umount q = done
			tree 9 cwd p/sys clone = done
			movefd 9 - q from-empty = done
			shows q/kernel/panic = pseudo
			close 9
			umount q detach = done
			tree 9 cwd p clone,recursive = done
			close 9
			open 8 p
			tree 9 8 - clone,empty = done
			cdfd 9
			shows uptime = pseudo
			tree 9 8 - clone = ENOENT
			tree 9 8 - clone,unknown = EINVAL
		`},
		{"open_tree, again", `
			mkdir p
			mkdir q
			mkdir r
			mount proc p proc = done
			tree 9 cwd p clone = done
			tree 8 cwd p clone = done
			movefd 9 - q from-empty = done
			movefd 8 - r from-empty = done
			close 9
			close 8
			below q = 36
			below r = 36
			umount q = done
			shows r/uptime = pseudo
			options r = proc proc rw,relatime rw
			mount - p - remount,bind,ro = done
			tree 9 cwd p clone = done
			movefd 9 - q from-empty = done
			close 9
			shows q/uptime = pseudo
			options q = proc proc ro,relatime rw
			options r = proc proc rw,relatime rw
		`},
		{"open_tree without room for a descriptor", `
			mkdir p
			mount proc p proc = done
			limit 3
			tree 9 cwd p clone = EMFILE
			tree 9 cwd p clone = EMFILE
		`},
		{"without CAP_SYS_ADMIN", `
			mkdir p
			caps 1
			mount proc p proc
			mount sysfs p sysfs
			mount none p tmpfs
			umount p
			tree 9 cwd /proc clone
			mount /proc p - bind
		`},
		{"what goes on", `
			mkdir t
			mkdir u
			mount none t tmpfs
			mount t u - bind
			mount - u - remount,bind,ro
			options u
			mount - t - private
			umount u
			mount t u - move
			umount u
			mount none t nonsense
			tree 9 cwd t clone
			movefd 9 - u from-empty
			close 9
			umount u
			umount u
		`},
		{"in namespaces below", `
			mkdir p
			mount proc /proc proc = done
			nested mp mount_proc_/proc_proc;shows_/proc/uptime;pids_/proc;umount_/proc/uptime;umount_/proc = done, pseudo, 1, EINVAL, done
			nested mp mount_proc_/proc_proc;mount_/proc_p_-_bind;shows_p/uptime;umount_p = done, done, pseudo, done
			nested mp umount_/proc;umount_/proc_detach = EINVAL, EINVAL
			nested mp mount_/proc_p_-_bind;shows_p/uptime;umount_p/uptime = done, pseudo, EINVAL
			nested mp tree_9_cwd_/proc_clone = EINVAL
			nested m mount_proc_/proc_proc = EPERM
			nested p mount_proc_/proc_proc = EPERM
			nested m mount_sysfs_p_sysfs = EPERM
			nested mn mount_sysfs_p_sysfs;below_p = done, 2
			nested mp mkdir_q;mount_proc_q_proc_-_gid=0;umount_q;mount_proc_q_proc_-_gid=1 = done, done, EINVAL
			nested mpn mount_-_/proc/sys/net/core_-_remount,bind,ro;mount_-_/proc/sys/net/nothing_-_remount,bind;mount_-_/proc/sys/net_-_remount,bind = done, ENOENT, EINVAL
			shows /proc/uptime = pseudo
		`},
		{"errors of paths", `
			file f
			mkdir d
			link loop loop
			link missing dangling
			mount proc missing proc
			mount proc f proc
			mount proc f/x proc
			mount proc loop proc
			mount proc dangling proc
			mount proc @long proc
			mount proc @longer proc
			mount proc - proc
			umount missing
			umount f/x
			umount loop
			umount @longer
			umount d
			mount missing d - bind
			mount /proc f - bind
		`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			linuxtest.NoLeak(t)
			tt.run(t, newBox(t))
		})
	}
}

// TestMount386: 32-bit programs, whose calls have other numbers, and one more.
func TestMount386(t *testing.T) {
	linuxtest.Root(t)
	abiTests(t, func(t *testing.T, exe string, word int) {
		linuxtest.NoLeak(t)
		b := newBox(t)
		umount1 := "EINVAL"
		if word == 8 {
			umount1 = "none"
		}
		scriptTest{script: `
			mkdir p
			mkdir q
			mount proc p proc = done
			shows p/uptime = pseudo
			umount p/uptime = EINVAL
			umount1 p/uptime = ` + umount1 + `
			mount p q - bind = done
			shows q/uptime = pseudo
			umount q = done
			fsopen proc = ENOSYS
			tree 9 cwd p clone = done
			movefd 9 - q from-empty = done
			shows q/uptime = pseudo
			umount p = done
			mount none p tmpfs nosuid size=4096 = done
			umount1 p = ` + map[int]string{4: "done", 8: "none"}[word] + `
		`}.runAs(t, b, exe)
	})
}
