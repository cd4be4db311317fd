package seccomp

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// remount gives the pseudo-files on a proc or sysfs what it gets: read-only, or not. The rest
// of it is the kernel's.
func remount(r *request) answer {
	path, err := r.t.readString(r.args[1])
	if err != nil {
		return unreadable(r.args[1], err)
	}
	m, err := r.t.look(unix.AT_FDCWD, path, 0)
	if (err != nil || !m.Root) && r.outOfReach(path) {
		return value(0)
	}
	if err != nil || !m.Root || kernelFS[m.Magic].fstype == "" {
		return proceed()
	}
	if ok, err := r.t.mayAdminister("mnt"); err != nil || !ok {
		return proceed()
	}
	if err := r.setReadOnly(m.ID, r.args[3]&unix.MS_RDONLY != 0); err != nil {
		r.c.logf("agent: remount: %v", err)
	}
	return proceed()
}

// outOfReach tells whether a path is that of a pseudo-file which another network namespace hides:
// what /proc/sys/net has, and what is mounted there, depends on who looks. Programs that go
// through all mounts (bubblewrap, for --ro-bind) take an error for the end, and there is nothing
// that could be changed.
func (r *request) outOfReach(path string) bool {
	if r.args[3]&unix.MS_BIND == 0 || !strings.Contains(path, "/sys/net/") {
		return false
	}
	if ok, err := r.t.mayAdminister("mnt"); err != nil || !ok {
		return false
	}
	mounts, err := r.t.mounts()
	if err != nil {
		return false
	}
	for _, m := range mounts {
		if m.dev == r.c.Files.Dev() && m.point == path {
			return true
		}
	}
	return false
}

// setReadOnly changes the pseudo-files that are mounted on a mount.
func (r *request) setReadOnly(id uint64, readOnly bool) error {
	mounts, err := r.t.mounts()
	if err != nil {
		return err
	}
	attr := linux.Attr{Clear: unix.MOUNT_ATTR_RDONLY}
	if readOnly {
		attr = linux.Attr{Set: unix.MOUNT_ATTR_RDONLY}
	}
	root, err := r.t.root()
	if err != nil {
		return err
	}
	defer root.Close()
	return r.t.inside(func() error {
		if !r.t.alive() {
			return nil
		}
		for child, m := range mounts {
			if m.parent != id || m.dev != r.c.Files.Dev() {
				continue
			}
			f, err := linux.OpenHow(root, m.point, unix.O_PATH, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_SYMLINKS)
			if err != nil {
				return err
			}
			at, err := linux.MountOf(f)
			if err == nil && at.ID == child {
				err = linux.SetAttr(f, attr)
			}
			f.Close()
			if err != nil {
				return err
			}
		}
		return nil
	})
}
