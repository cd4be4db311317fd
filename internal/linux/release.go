package linux

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Kernel is the version of the running kernel, uname(2).
func Kernel() (major, minor int, err error) {
	release, err := kernelRelease()
	if err != nil {
		return 0, 0, err
	}
	return ParseRelease(release)
}

var kernelRelease = sync.OnceValues(func() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	return unix.ByteSliceToString(u.Release[:]), nil
})

// ParseRelease parses the first two numbers of a release, "6.18.44-generic".
func ParseRelease(release string) (major, minor int, err error) {
	first, rest, _ := strings.Cut(release, ".")
	second := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	major, errA := strconv.Atoi(first)
	minor, errB := strconv.Atoi(second)
	if errA != nil || errB != nil {
		return 0, 0, fmt.Errorf("cannot read the version of %q", release)
	}
	return major, minor, nil
}
