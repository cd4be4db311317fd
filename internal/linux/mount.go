package linux

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// OpenTree clones the mount at path below dir, detached from any namespace; an
// empty path clones what dir is. recursive takes the mounts below along. The
// clone is gone when the file is closed without having been attached.
//
// The source must be in the mount namespace of the calling thread, else EINVAL.
// open_tree(2), Linux 5.2.
func OpenTree(dir *os.File, path string, recursive bool) (*os.File, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return openAt("open_tree", dir, path, func(fd int) (int, error) {
		return unix.OpenTree(fd, path, flags)
	})
}

// MoveMount attaches tree, from [OpenTree] or [FS.Mount] or already attached
// in this namespace, on target. move_mount(2), Linux 5.2.
func MoveMount(tree, target *os.File) error {
	const flags = unix.MOVE_MOUNT_F_EMPTY_PATH | unix.MOVE_MOUNT_T_EMPTY_PATH
	err := at("move_mount", target, "", func(fd int) error {
		return unix.MoveMount(int(tree.Fd()), "", fd, "", flags)
	})
	runtime.KeepAlive(tree)
	return err
}

// Attr is a change of mount attributes.
type Attr struct {
	// Set and Clear are MOUNT_ATTR_* bits. Before one of the atime bits is
	// set, MOUNT_ATTR__ATIME must be cleared.
	Set, Clear uint64
	// Propagation is MS_PRIVATE, MS_SLAVE, MS_SHARED or 0 for no change.
	Propagation uint64
	// UserNS, if not nil, ID-maps the mount with that user namespace.
	UserNS *os.File
	// Recursive changes the mounts below too: all of them or none.
	Recursive bool
}

// SetAttr changes the attributes of the mount that tree is the root of.
// mount_setattr(2), Linux 5.12.
func SetAttr(tree *os.File, a Attr) error {
	attr := unix.MountAttr{Attr_set: a.Set, Attr_clr: a.Clear, Propagation: a.Propagation}
	if a.UserNS != nil {
		attr.Attr_set |= unix.MOUNT_ATTR_IDMAP
		attr.Userns_fd = uint64(a.UserNS.Fd())
	}
	flags := uint(unix.AT_EMPTY_PATH)
	if a.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	err := at("mount_setattr", tree, "", func(fd int) error {
		return unix.MountSetattr(fd, "", flags, &attr)
	})
	runtime.KeepAlive(a.UserNS)
	return err
}

// Mount is mount(2).
func Mount(source, target, fstype string, flags uintptr, data string) error {
	err := retry(func() error { return unix.Mount(source, target, fstype, flags, data) })
	if err != nil {
		return &os.PathError{Op: "mount " + fstype, Path: target, Err: err}
	}
	return nil
}

// Detach takes the topmost mount at path, and those below it, out of the
// namespace at once; it goes away when it is no longer used.
// umount2(MNT_DETACH|UMOUNT_NOFOLLOW).
func Detach(path string) error {
	err := retry(func() error { return unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) })
	if err != nil {
		return &os.PathError{Op: "umount", Path: path, Err: err}
	}
	return nil
}

// MoveMountTo is [MoveMount] onto path below dir.
func MoveMountTo(tree, dir *os.File, path string) error {
	err := at("move_mount", dir, path, func(fd int) error {
		return unix.MoveMount(int(tree.Fd()), "", fd, path, unix.MOVE_MOUNT_F_EMPTY_PATH)
	})
	runtime.KeepAlive(tree)
	return err
}
