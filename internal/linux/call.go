package linux

import (
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// retry calls fn until it returns something other than EINTR.
func retry(fn func() error) error {
	for {
		if err := fn(); err != unix.EINTR {
			return err
		}
	}
}

// at gives fn the descriptor number of f, AT_FDCWD for nil, and keeps f open
// meanwhile. A failure becomes an *os.PathError.
func at(op string, f *os.File, path string, fn func(fd int) error) error {
	fd := unix.AT_FDCWD
	if f != nil {
		fd = int(f.Fd())
	}
	err := retry(func() error { return fn(fd) })
	runtime.KeepAlive(f)
	if err != nil {
		return &os.PathError{Op: op, Path: name(f, path), Err: err}
	}
	return nil
}

// openAt is at for calls that give a new descriptor.
func openAt(op string, f *os.File, path string, fn func(fd int) (int, error)) (*os.File, error) {
	var fd int
	err := at(op, f, path, func(dir int) (err error) {
		fd, err = fn(dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name(f, path)), nil
}

// name is how errors call the file at path below f.
func name(f *os.File, path string) string {
	switch {
	case f == nil:
		return path
	case path == "":
		return f.Name()
	default:
		return strings.TrimSuffix(f.Name(), "/") + "/" + strings.TrimPrefix(path, "/")
	}
}
