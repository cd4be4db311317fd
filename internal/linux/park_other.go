//go:build !amd64

package linux

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// InNewUserNS makes a process in a new user namespace without ID mappings,
// calls fn with its process ID, and kills and reaps it. The process does
// nothing; it is for opening and writing its files below /proc.
func InNewUserNS(fn func(pid int) error) error { return inNewUserNS(fn) }

func parkedInNewNS(flags uintptr, fn func(pid int) error) error { return inNewNS(flags, fn) }

// InUserNS would make a process in the user namespace ns. Without a few lines of
// assembly it cannot be done in a process that has threads: errors.ErrUnsupported.
func InUserNS(*os.File, func(pid int) error) error {
	return fmt.Errorf("join a user namespace on %s: %w", runtime.GOARCH, errors.ErrUnsupported)
}
