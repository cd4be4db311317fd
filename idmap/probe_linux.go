package idmap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// feature is something that a kernel has or lacks.
type feature struct {
	what  string
	since version
	// try tells whether a kernel that is new enough was built with it. Nil:
	// the version decides alone.
	try func() error
}

// features are what is needed, in the order in which they are reported.
var features = []feature{
	{"user namespaces", version{3, 8}, needFile("/proc/self/ns/user")},
	{"time namespaces", version{5, 6}, needFile("/proc/self/ns/time")},
	{"ID-mapped mounts", version{5, 12}, nil},
	{"overlayfs on ID-mapped layers", version{5, 19}, nil},
}

// Require tells whether the running kernel has what this package needs:
// ErrKernel, with the name of the first feature that is missing and the version
// that brought it. It looks once, and that costs microseconds: a version and two
// files. Versions say nothing about kernels whose vendor backports; those below
// 5.19 are refused all the same. What a version cannot tell (a limit, a module
// that is missing) is the error of the call that needs it.
var Require = sync.OnceValue(func() error {
	v, err := kernelVersion()
	if err != nil {
		return err
	}
	return require(v, features)
})

func require(v version, features []feature) error {
	for _, f := range features {
		if !v.atLeast(f.since.major, f.since.minor) {
			return fmt.Errorf("%w: %s (Linux %v; this is %v)", ErrKernel, f.what, f.since, v)
		}
		if f.try == nil {
			continue
		}
		if err := f.try(); err != nil {
			return fmt.Errorf("%w: %s (Linux %v, and the kernel's configuration): %w", ErrKernel, f.what, f.since, err)
		}
	}
	return nil
}

// needFile is a try that looks for a file.
func needFile(path string) func() error {
	return func() error {
		_, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
}

// detachedLayers tells whether overlayfs takes layers from a mount that is not
// attached (Linux 6.15).
func detachedLayers() bool {
	v, err := kernelVersion()
	return err == nil && v.atLeast(6, 15)
}
