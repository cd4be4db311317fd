package linux

import (
	"os"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// OnOwnTable runs fn in the background, on a thread as [OnThread] gives it, whose table of file
// descriptors is not that of the process: it has what the files given here are, under the
// numbers that fn gets, and what the Go runtime uses on any thread. It returns when fn begins.
// The caller may close its files then, and the thread alone holds what they are.
//
// So that is closed when the thread dies, and a process that is killed (SIGKILL) lets go of it
// even if another of its threads waits in the kernel and cannot die: perhaps for an answer that
// was to be given through this very file.
//
// What fn calls must not use files of the process: their numbers mean nothing here, or
// something else. unshare(2), CLONE_FILES.
func OnOwnTable(fn func(fds []int), files ...*os.File) error {
	begun := make(chan error, 1)
	go func() {
		err := OnThread(func() error {
			fds := make([]int, len(files))
			for i, f := range files {
				fds[i] = int(f.Fd())
			}
			if err := ownTable(fds); err != nil {
				return err
			}
			begun <- nil
			fn(fds)
			return nil
		})
		if err != nil {
			begun <- err
		}
	}()
	err := <-begun
	runtime.KeepAlive(files)
	return err
}

// ownTable gives the calling thread a copy of its table of descriptors, without any but keep
// and the runtime's.
func ownTable(keep []int) error {
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	const own = "/proc/thread-self/fd"
	dir, err := unix.Open(own, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: own, Err: err}
	}
	defer unix.Close(dir)
	var names []string
	for buf := make([]byte, 8192); ; {
		n, err := unix.ReadDirent(dir, buf)
		if err != nil {
			return &os.PathError{Op: "readdirent", Path: own, Err: err}
		}
		if n == 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd == dir || slices.Contains(keep, fd) || ofRuntime(dir, name) {
			continue
		}
		unix.Close(fd)
	}
	return nil
}

// ofRuntime tells whether a descriptor may be one of those with which the Go runtime waits for
// files: an epoll instance, and an eventfd that wakes who waits for it. Any thread may have to
// wait, or to wake the one that does.
func ofRuntime(dir int, name string) bool {
	buf := make([]byte, 64)
	n, err := unix.Readlinkat(dir, name, buf)
	if err != nil {
		return false
	}
	what := string(buf[:n])
	return what == "anon_inode:[eventpoll]" || what == "anon_inode:[eventfd]"
}
