package pseudofs

import "github.com/eci-runtime/eci/internal/linux"

// release is the version of a kernel.
type release struct{ major, minor int }

// running tells whether the kernel is this one or a later one. One whose version cannot be read
// is none.
func (r release) running() bool {
	major, minor, err := linux.Kernel()
	return err == nil && (major > r.major || major == r.major && minor >= r.minor)
}
