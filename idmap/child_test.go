package idmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// childOwners prints "<path> <owner>" of each path, as a container sees them.
func childOwners(paths []string) error {
	for _, p := range paths {
		o, err := owner(p)
		if err != nil {
			return err
		}
		fmt.Println(filepath.Base(p), o)
	}
	return nil
}

// childWork does in the root file system args[0] what containers do.
func childWork(args []string) error {
	unix.Umask(0)
	if err := unix.Chroot(args[0]); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"write", func() error { return os.WriteFile("/new", []byte("new"), 0o640) }},
		{"chown", func() error { return os.Chown("/new", 1000, 1001) }},
		{"overwrite a lower file", func() error { return os.WriteFile("/etc/passwd", []byte("changed"), 0o644) }},
		{"delete a lower file", func() error { return os.Remove("/etc/gone") }},
		{"delete a lower directory", func() error { return os.RemoveAll("/olddir") }},
		{"make it again (opaque)", func() error { return os.Mkdir("/olddir", 0o755) }},
		{"rename a lower file", func() error { return os.Rename("/etc/move", "/etc/moved") }},
		{"rename a lower directory", func() error { return renameDir("/lib", "/usrlib") }},
		{"chmod set-uid", func() error { return os.Chmod("/new", os.ModeSetuid|0o755) }},
		{"set a file capability", func() error { return unix.Setxattr("/bin/ping", "security.capability", capNetRaw(), 0) }},
		{"fifo", func() error { return unix.Mkfifo("/fifo", 0o600) }},
		{"hard link", func() error { return os.Link("/etc/passwd", "/hard") }},
		{"symbolic link", func() error { return os.Symlink("/etc", "/soft") }},
		{"user xattr", func() error { return unix.Setxattr("/etc/passwd", "user.a", []byte("b"), 0) }},
		{"character device is refused", func() error {
			if err := unix.Mknod("/node", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))); !errors.Is(err, unix.EPERM) {
				return fmt.Errorf("mknod: %w", err)
			}
			return nil
		}},
		{"whiteout is refused by overlayfs", func() error {
			if err := unix.Mknod("/whiteout", unix.S_IFCHR, 0); !errors.Is(err, unix.EPERM) {
				return fmt.Errorf("mknod: %w", err)
			}
			return nil
		}},
		{"highest ID", func() error {
			if err := os.WriteFile("/top", nil, 0o600); err != nil {
				return err
			}
			return os.Chown("/top", 65535, 65535)
		}},
		{"ID beyond the range is refused", func() error {
			if err := os.Chown("/top", 65536, -1); !errors.Is(err, unix.EINVAL) {
				return fmt.Errorf("chown: %w", err)
			}
			return nil
		}},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return childOwners([]string{"/new", "/etc/passwd", "/bin/ping", "/home/user"})
}

// renameDir renames a directory as mv(1) does: by a copy, if the file system
// does not rename directories of lower layers (overlayfs without redirect_dir).
func renameDir(from, to string) error {
	err := os.Rename(from, to)
	if !errors.Is(err, unix.EXDEV) {
		return err
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return os.RemoveAll(from)
}

// capNetRaw is the xattr of cap_net_raw=ep, version 2, without a root ID.
func capNetRaw() []byte {
	return []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
}
