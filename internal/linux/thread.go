package linux

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// OnThread runs fn on an operating-system thread of its own, which no other
// goroutine ever uses: when fn has returned (or panicked, or called
// [runtime.Goexit]) the thread is destroyed. What fn changes of the thread is
// gone with it.
//
// The thread shares nothing of struct fs (working directory, root, umask) with
// the rest of the process, so that fn may change these, and its umask is 0. It
// is never the main thread, whose state is what /proc/<pid> shows.
func OnThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { done <- err }()
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unix.Gettid() != unix.Getpid() {
			err = private(fn)
			return
		}
		// This goroutine holds the main thread meanwhile, so the next one
		// cannot get it.
		err = OnThread(fn)
		runtime.UnlockOSThread()
	}()
	return <-done
}

// errGoexit is what a caller gets when fn ended its goroutine.
var errGoexit = errors.New("thread ended before its work was done")

func private(fn func() error) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	unix.Umask(0)
	return fn()
}
