package linux

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// OpenPath opens path with O_PATH, following symbolic links: a handle on the
// file that can be inspected, cloned and mounted, but neither read nor written.
func OpenPath(path string) (*os.File, error) {
	return OpenAt(nil, path, unix.O_PATH, 0)
}

// OpenAt is openat(2): flags are O_* (O_CLOEXEC is added), mode is for O_CREAT.
func OpenAt(dir *os.File, path string, flags int, mode uint32) (*os.File, error) {
	return openAt("openat", dir, path, func(fd int) (int, error) {
		return unix.Openat(fd, path, flags|unix.O_CLOEXEC, mode)
	})
}

// Reopen opens what f is by other flags. It opens no path, and so asks no file system but for the
// opening itself. proc_pid_fd(5).
func Reopen(f *os.File, flags int) (*os.File, error) {
	reopened, err := OpenAt(nil, "/proc/thread-self/fd/"+strconv.Itoa(int(f.Fd())), flags, 0)
	runtime.KeepAlive(f)
	return reopened, err
}

// OpenInRoot opens path as if root were the root directory: absolute links and
// ".." never leave it, magic links (proc(5)) are refused with ELOOP. flags are
// O_* (O_CLOEXEC is added). openat2(2), Linux 5.6.
func OpenInRoot(root *os.File, path string, flags int) (*os.File, error) {
	return OpenHow(root, path, flags, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

// OpenHow is openat2(2) with the given RESOLVE_* bits, without O_CREAT.
// EAGAIN, which the kernel gives when a rename raced with the walk, is retried
// a bounded number of times.
func OpenHow(dir *os.File, path string, flags int, resolve uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: resolve}
	return openAt("openat2", dir, path, func(fd int) (n int, err error) {
		for range maxEagain {
			n, err = unix.Openat2(fd, path, &how)
			if err != unix.EAGAIN {
				break
			}
		}
		return n, err
	})
}

const maxEagain = 128

// StatBelow tells about the directory that path leads to from dir without a
// symbolic link, without ".." above dir and without crossing a mount: ELOOP,
// EXDEV, ENOTDIR or ENOENT if it does not.
func StatBelow(dir *os.File, path string) (Stat, error) {
	f, err := OpenHow(dir, path, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return Stat{}, err
	}
	defer f.Close()
	return StatFile(f)
}
