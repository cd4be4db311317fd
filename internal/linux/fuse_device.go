package linux

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// OpenFUSE opens a new connection to the kernel's FUSE, fuse(4), to be given to a file
// system as its "fd".
func OpenFUSE() (*os.File, error) { return OpenAt(nil, "/dev/fuse", unix.O_RDWR, 0) }

// SetNumber sets a parameter to the descriptor number of f, in decimal: what the
// parameter "fd" of a FUSE file system takes on every kernel.
func (fs *FS) SetNumber(key string, f *os.File) error {
	err := fs.Set(key, strconv.Itoa(int(f.Fd())))
	runtime.KeepAlive(f)
	return err
}

// IsReadOnly tells whether the mount that f lies on is read-only, or its file
// system. statfs(2): ST_RDONLY, which is MS_RDONLY.
func IsReadOnly(f *os.File) (bool, error) {
	var s unix.Statfs_t
	err := at("fstatfs", f, "", func(fd int) error { return unix.Fstatfs(fd, &s) })
	return s.Flags&unix.MS_RDONLY != 0, err
}

// NewMountNS gives the calling thread a copy of its mount namespace, which goes
// with the thread; only in [OnThread]. unshare(2).
func NewMountNS() error {
	return os.NewSyscallError("unshare", retry(func() error { return unix.Unshare(unix.CLONE_NEWNS) }))
}

// Ready tells whether f can be read without waiting. poll(2).
func Ready(f *os.File) (bool, error) {
	fds := []unix.PollFd{{Events: unix.POLLIN}}
	err := at("poll", f, "", func(fd int) error {
		fds[0].Fd = int32(fd)
		_, err := unix.Poll(fds, 0)
		return err
	})
	return fds[0].Revents&unix.POLLIN != 0, err
}

// Duplicate is another descriptor of what f is. F_DUPFD_CLOEXEC, fcntl(2).
func Duplicate(f *os.File) (*os.File, error) {
	return openAt("fcntl", f, "", func(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) })
}
