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

// Rmdir removes the empty directory path below dir. unlinkat(2).
func Rmdir(dir *os.File, path string) error {
	return at("rmdir", dir, path, func(fd int) error { return unix.Unlinkat(fd, path, unix.AT_REMOVEDIR) })
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

// TryLockByte takes the exclusive lock of one byte of f, whether or not f is that long; EAGAIN
// if another opening of the file has it. It is let go when f is closed. F_OFD_SETLK,
// fcntl_locking(2).
func TryLockByte(f *os.File, offset int64) error {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: offset, Len: 1}
	return at("fcntl", f, "", func(fd int) error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock) })
}

// LockByte is TryLockByte that waits. F_OFD_SETLKW.
func LockByte(f *os.File, offset int64) error {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: offset, Len: 1}
	return at("fcntl", f, "", func(fd int) error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLKW, &lock) })
}

// Chmod sets the permission bits of path below dir, following a last symbolic
// link. fchmodat(2).
func Chmod(dir *os.File, path string, mode uint32) error {
	return at("fchmodat", dir, path, func(fd int) error { return unix.Fchmodat(fd, path, mode, 0) })
}
