//go:build !amd64

package linux

import (
	"os"

	"golang.org/x/sys/unix"
)

// inChild needs a few instructions of assembly, which nobody has written for this
// processor.
func inChild([]childCall) error { return os.NewSyscallError("clone", unix.ENOTSUP) }
