package linux

import (
	"os"

	"golang.org/x/sys/unix"
)

// Mkdir is mkdirat(2).
func Mkdir(dir *os.File, path string, mode uint32) error {
	return at("mkdirat", dir, path, func(fd int) error { return unix.Mkdirat(fd, path, mode) })
}

// Mknod is mknodat(2): mode is type and permissions, dev as [unix.Mkdev] gives.
func Mknod(dir *os.File, path string, mode uint32, dev uint64) error {
	return at("mknodat", dir, path, func(fd int) error { return unix.Mknodat(fd, path, mode, int(dev)) })
}

// Symlink makes path below dir a symbolic link to target. symlinkat(2).
func Symlink(target string, dir *os.File, path string) error {
	return at("symlinkat", dir, path, func(fd int) error { return unix.Symlinkat(target, fd, path) })
}

// Unlink removes the file path below dir, not a directory. unlinkat(2).
func Unlink(dir *os.File, path string) error {
	return at("unlinkat", dir, path, func(fd int) error { return unix.Unlinkat(fd, path, 0) })
}

// Chown changes the owner of path below dir without following a last symbolic
// link. fchownat(2).
func Chown(dir *os.File, path string, uid, gid uint32) error {
	return at("fchownat", dir, path, func(fd int) error {
		return unix.Fchownat(fd, path, int(uid), int(gid), unix.AT_SYMLINK_NOFOLLOW)
	})
}

// Lock takes the exclusive lock of f (flock(2)) and waits for it. It is let go
// when f is closed.
func Lock(f *os.File) error {
	return at("flock", f, "", func(fd int) error { return unix.Flock(fd, unix.LOCK_EX) })
}

// Chmod sets the permission bits of path below dir, following a last symbolic
// link. fchmodat(2).
func Chmod(dir *os.File, path string, mode uint32) error {
	return at("fchmodat", dir, path, func(fd int) error { return unix.Fchmodat(fd, path, mode, 0) })
}
