package linux

import (
	"os"

	"golang.org/x/sys/unix"
)

// MountsChanged tells whether a mount namespace has changed since the last call
// with the same file, or since that was opened: mounts is a mountinfo of it
// (proc_pid_mounts(5)), opened by [OpenAt]; what [os.Open] opens is polled by the Go
// runtime, which then is the one that is told. It does not wait.
func MountsChanged(mounts *os.File) (bool, error) {
	fds := []unix.PollFd{{Events: unix.POLLPRI}}
	err := at("poll", mounts, "", func(fd int) error {
		fds[0].Fd = int32(fd)
		_, err := unix.Poll(fds, 0)
		return err
	})
	return fds[0].Revents&(unix.POLLPRI|unix.POLLERR) != 0, err
}
