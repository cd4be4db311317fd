package linux

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// HasXattr tells whether f, which is no O_PATH descriptor, has an extended attribute of
// this name. One on a file system that has none is absent. fgetxattr(2).
func HasXattr(f *os.File, name string) (bool, error) {
	err := at("fgetxattr", f, "", func(fd int) error {
		_, err := unix.Fgetxattr(fd, name, nil)
		return err
	})
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return false, nil
	}
	return err == nil, err
}

// SetXattr sets an extended attribute of f, which is no O_PATH descriptor. fsetxattr(2).
func SetXattr(f *os.File, name, value string) error {
	return at("fsetxattr", f, "", func(fd int) error { return unix.Fsetxattr(fd, name, []byte(value), 0) })
}

// Touch sets the times of path below dir, which is not followed if it is a link, to what
// they are. A file of an overlay is in the upper layer then. utimensat(2).
func Touch(dir *os.File, path string) error {
	return at("utimensat", dir, path, func(fd int) error {
		var st unix.Stat_t
		if err := unix.Fstatat(fd, path, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		return unix.UtimesNanoAt(fd, path, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
	})
}
