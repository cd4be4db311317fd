package linux

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// FS is a file system that is being configured (fsopen(2), Linux 5.2).
type FS struct{ ctx *os.File }

// NewFS begins the configuration of a file system of type fstype; the caller
// closes it. ENODEV: the kernel has no such type.
func NewFS(fstype string) (*FS, error) {
	ctx, err := openAt("fsopen", nil, fstype, func(int) (int, error) {
		return unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	})
	if err != nil {
		return nil, err
	}
	return &FS{ctx}, nil
}

// Set sets a parameter; an empty value sets a flag. A value is at most 255
// bytes long.
func (fs *FS) Set(key, value string) error {
	return fs.do(func(fd int) error {
		if value == "" {
			return unix.FsconfigSetFlag(fd, key)
		}
		return unix.FsconfigSetString(fd, key, value)
	})
}

// Mount creates the file system and a detached mount of it with the given
// MOUNT_ATTR_* bits.
func (fs *FS) Mount(attr int) (*os.File, error) {
	if err := fs.do(unix.FsconfigCreate); err != nil {
		return nil, err
	}
	return openAt("fsmount", fs.ctx, "", func(fd int) (int, error) {
		return unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, attr)
	})
}

// Close ends the configuration. A mount that was made stays.
func (fs *FS) Close() error { return fs.ctx.Close() }

// do calls fn and adds what the kernel logged in the context to its error.
func (fs *FS) do(fn func(fd int) error) error {
	err := at("fsconfig", fs.ctx, "", fn)
	if err == nil {
		return nil
	}
	if msg := fs.log(); msg != "" {
		return &os.PathError{Op: "fsconfig", Path: fs.ctx.Name(), Err: &fsError{msg, err}}
	}
	return err
}

// log reads the messages the kernel left, each "<level> <text>", joined.
func (fs *FS) log() string {
	var msgs []string
	buf := make([]byte, 512)
	for range 16 {
		n, err := unix.Read(int(fs.ctx.Fd()), buf)
		if err != nil || n <= 2 {
			break
		}
		msgs = append(msgs, strings.TrimSpace(string(buf[2:n])))
	}
	return strings.Join(msgs, "; ")
}

// fsError is an errno together with the kernel's own words.
type fsError struct {
	msg string
	err error
}

func (e *fsError) Error() string {
	var errno unix.Errno
	if errors.As(e.err, &errno) {
		return e.msg + ": " + errno.Error()
	}
	return e.msg
}

func (e *fsError) Unwrap() error { return e.err }
