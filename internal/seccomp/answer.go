package seccomp

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// answer is one of the four outcomes of a call. The zero value is EPERM.
type answer struct {
	kind    outcome
	errno   unix.Errno
	value   int64
	file    *os.File
	cloexec bool
	revoke  func() error        // nil: nothing was done
	release func()              // nil: nothing was kept for revoke
	still   func(*request) bool // whether what was done is still there; nil: see [recent]
}

type outcome int

const (
	kindRefuse outcome = iota
	kindProceed
	kindValue
	kindFile
)

// proceed lets the kernel perform the call, with what the caller's memory holds then.
func proceed() answer { return answer{kind: kindProceed} }

// refuse fails the call.
func refuse(errno unix.Errno) answer { return answer{errno: errno} }

// value is what the call returns, since it was performed.
func value(n int64) answer { return answer{kind: kindValue, value: n} }

// give is a new descriptor for the caller, whose number the call returns. The file is closed
// here afterwards. It must not be O_PATH.
func give(f *os.File, cloexec bool) answer {
	return answer{kind: kindFile, file: f, cloexec: cloexec}
}

// undo says how to take back what was done, for the case that the caller cannot be told: it
// was killed, or a signal has interrupted it, and then it may try again. What revoke needs is
// kept until the caller has its answer, when release is called. No descriptor of a mount that
// was made may be among it: the caller, who can unmount it at once, would find it busy.
func (a answer) undo(revoke func() error) answer {
	a.revoke = revoke
	return a
}

// done ends an answer that the caller has been given, or else takes back what was done.
func (a answer) done(c *container, given bool) {
	if !given && a.revoke != nil {
		if err := a.revoke(); err != nil {
			c.logf("agent: take back what a caller did not wait for: %v", err)
		}
	}
	if a.release != nil {
		a.release()
	}
	if a.file != nil {
		a.file.Close()
	}
}

// errnoOf is the number of an error, EIO for one without, 0 for none.
func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &errno):
		return errno
	case errors.Is(err, fs.ErrNotExist):
		return unix.ENOENT
	}
	return unix.EIO
}
