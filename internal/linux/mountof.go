package linux

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Mounted tells on which mount a file lies.
type Mounted struct {
	Dev  uint64 // of its file system, as [unix.Mkdev] makes it
	ID   uint64 // in /proc/<pid>/mountinfo, Linux 5.8
	Root bool   // the file is the root of the mount
}

// MountOf is the part of [StatFile] that no file system is asked for: it does not wait for a
// server of FUSE or NFS. statx(2), AT_STATX_DONT_SYNC; all of it is told without being asked for,
// and a FUSE of another user namespace tells nothing but that.
func MountOf(f *os.File) (Mounted, error) {
	var x unix.Statx_t
	err := at("statx", f, "", func(fd int) error { return unix.Statx(fd, "", mountOfFlags, 0, &x) })
	return mountedOf(&x), err
}

const mountOfFlags = unix.AT_EMPTY_PATH | unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT

func mountedOf(x *unix.Statx_t) Mounted {
	return Mounted{
		Dev:  unix.Mkdev(x.Dev_major, x.Dev_minor),
		ID:   x.Mnt_id,
		Root: x.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0,
	}
}

// Attached tells whether f, the root of a mount, is in the mount namespace of the calling thread,
// and can be unmounted. It asks for something that is refused as long as f is open.
// umount2(MNT_EXPIRE).
func Attached(f *os.File) (bool, error) {
	err := at("umount2", f, "", func(fd int) error {
		return unix.Unmount("/proc/thread-self/fd/"+strconv.Itoa(fd), unix.MNT_EXPIRE)
	})
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EAGAIN):
		return true, nil
	case errors.Is(err, unix.EINVAL):
		return false, nil
	}
	return false, err
}

// UniqueMount is the number of the mount on which f lies, which the kernel gives to no other one
// until it boots. ok is false before Linux 6.8. statx(2), STATX_MNT_ID_UNIQUE.
func UniqueMount(f *os.File) (id uint64, ok bool) {
	var x unix.Statx_t
	err := at("statx", f, "", func(fd int) error {
		return unix.Statx(fd, "", mountOfFlags, unix.STATX_MNT_ID_UNIQUE, &x)
	})
	return x.Mnt_id, err == nil && x.Mask&unix.STATX_MNT_ID_UNIQUE != 0
}

// MountFlags are ST_* of the mount on which f lies. statfs(2).
func MountFlags(f *os.File) (int64, error) {
	var s unix.Statfs_t
	err := at("fstatfs", f, "", func(fd int) error { return unix.Fstatfs(fd, &s) })
	return int64(s.Flags), err
}
