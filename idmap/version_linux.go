package idmap

import (
	"fmt"

	"github.com/eci-runtime/eci/internal/linux"
)

// version is the version of a kernel.
type version struct{ major, minor int }

func (v version) atLeast(major, minor int) bool {
	return v.major > major || v.major == major && v.minor >= minor
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// kernelVersion is the version of the running kernel.
func kernelVersion() (version, error) { return versionOf(linux.Kernel()) }

// parseVersion is the version that a release has.
func parseVersion(release string) (version, error) { return versionOf(linux.ParseRelease(release)) }

func versionOf(major, minor int, err error) (version, error) {
	if err != nil {
		return version{}, fmt.Errorf("%w: %w", ErrKernel, err)
	}
	return version{major, minor}, nil
}
