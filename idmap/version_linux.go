package idmap

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// version is the version of a kernel.
type version struct{ major, minor int }

func (v version) atLeast(major, minor int) bool {
	return v.major > major || v.major == major && v.minor >= minor
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// kernelVersion is the version of the running kernel.
var kernelVersion = sync.OnceValues(func() (version, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return version{}, err
	}
	return parseVersion(unix.ByteSliceToString(u.Release[:]))
})

// parseVersion parses the first two numbers of a release, "6.18.44-generic".
func parseVersion(release string) (version, error) {
	major, rest, _ := strings.Cut(release, ".")
	minor := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errA != nil || errB != nil {
		return version{}, fmt.Errorf("%w: cannot read the version of %q", ErrKernel, release)
	}
	return version{a, b}, nil
}
