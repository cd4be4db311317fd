package pseudofs

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// release is the version of a kernel.
type release struct{ major, minor int }

// running is the kernel's own; 0.0 if it has none that can be read.
var running = sync.OnceValue(func() (r release) {
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		_, _ = fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &r.major, &r.minor)
	}
	return r
})

// before tells whether a kernel is older than other.
func (r release) before(other release) bool {
	return r.major < other.major || r.major == other.major && r.minor < other.minor
}
