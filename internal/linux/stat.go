package linux

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Stat is what the kernel tells about an opened file.
type Stat struct {
	// Dev and Rdev are device numbers as [unix.Mkdev] makes them.
	Dev, Rdev uint64
	Ino       uint64
	// MountID is the ID in /proc/<pid>/mountinfo (Linux 5.8).
	MountID uint64
	// Mode is type and permission bits, S_IF* included.
	Mode     uint32
	UID, GID uint32
	// Links is how many names it has.
	Links uint32
	// MountRoot tells that the file is the root of a mount.
	MountRoot bool
}

// IsDir tells whether the file is a directory.
func (s Stat) IsDir() bool { return s.Mode&unix.S_IFMT == unix.S_IFDIR }

// IsSymlink tells whether the file is a symbolic link.
func (s Stat) IsSymlink() bool { return s.Mode&unix.S_IFMT == unix.S_IFLNK }

// StatFile tells about f itself; it works on O_PATH descriptors. statx(2).
func StatFile(f *os.File) (Stat, error) { return StatAt(f, "") }

// SameFile tells whether two opened files are one, as two names of a namespace are.
func SameFile(a, b *os.File) (bool, error) {
	first, err := StatFile(a)
	if err != nil {
		return false, err
	}
	second, err := StatFile(b)
	return err == nil && first.Dev == second.Dev && first.Ino == second.Ino, err
}

// StatAt tells about path below dir, without following a last symbolic link
// and without triggering an automount. An empty path is dir itself.
func StatAt(dir *os.File, path string) (Stat, error) {
	var x unix.Statx_t
	const flags = unix.AT_EMPTY_PATH | unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	err := at("statx", dir, path, func(fd int) error {
		return unix.Statx(fd, path, flags, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &x)
	})
	if err != nil {
		return Stat{}, err
	}
	return Stat{
		Dev:       unix.Mkdev(x.Dev_major, x.Dev_minor),
		Rdev:      unix.Mkdev(x.Rdev_major, x.Rdev_minor),
		Ino:       x.Ino,
		MountID:   x.Mnt_id,
		Mode:      uint32(x.Mode),
		UID:       x.Uid,
		GID:       x.Gid,
		Links:     x.Nlink,
		MountRoot: x.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0,
	}, nil
}

// FSMagic is the magic number of the file system that f lies on (statfs(2)).
func FSMagic(f *os.File) (int64, error) {
	var s unix.Statfs_t
	err := at("fstatfs", f, "", func(fd int) error { return unix.Fstatfs(fd, &s) })
	return int64(s.Type), err
}

// ReadLink is the target of the symbolic link path below dir; an empty path
// reads dir, which must be an O_PATH descriptor of a link.
func ReadLink(dir *os.File, path string) (string, error) {
	for size := 256; ; size *= 2 {
		buf := make([]byte, size)
		var n int
		err := at("readlinkat", dir, path, func(fd int) (err error) {
			n, err = unix.Readlinkat(fd, path, buf)
			return err
		})
		if err != nil {
			return "", err
		}
		if n < size {
			return string(buf[:n]), nil
		}
	}
}

// PathOf is the path of an opened file as the calling thread sees it
// (/proc/thread-self/fd, proc_pid_fd(5)): good for messages and for comparing
// with paths of one's own, not for opening it again.
func PathOf(f *os.File) (string, error) {
	path, err := os.Readlink("/proc/thread-self/fd/" + strconv.Itoa(int(f.Fd())))
	runtime.KeepAlive(f)
	return path, err
}
