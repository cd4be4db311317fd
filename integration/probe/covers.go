package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
)

// covers tries to take the pseudo-file at args[0] away, so that the kernel's own node shows.
// An attempt has an effect if the file is no longer on the device that it was on.
func covers(args []string) (any, error) {
	if len(args) != 1 {
		return nil, errors.New("covers needs a path")
	}
	path := args[0]
	before, err := deviceOf(path)
	if err != nil {
		return nil, err
	}
	scratch, err := scratchFor(path)
	if err != nil {
		return nil, err
	}
	link := scratch + ".link"
	if err := os.Symlink(path, link); err != nil {
		return nil, err
	}
	minus100 := unix.AT_FDCWD
	report := []attempt.Attempt{
		try("umount", unix.Unmount(path, 0)),
		try("umount-detach", unix.Unmount(path, unix.MNT_DETACH)),
		try("umount-expire", unix.Unmount(path, unix.MNT_EXPIRE)),
		try("umount-force", unix.Unmount(path, unix.MNT_FORCE)),
		try("umount-nofollow", unix.Unmount(path, unix.UMOUNT_NOFOLLOW)),
		try("umount-link", unix.Unmount(link, 0)),
		try("umount-dots", unix.Unmount(filepath.Dir(path)+"/../"+filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), unix.MNT_DETACH)),
		try("umount-descriptor", umountDescriptor(path)),
		try("umount-root", unix.Unmount("/proc/self/root"+path, unix.MNT_DETACH)),
		try("umount-other-root", unix.Unmount("/proc/1/root"+path, unix.MNT_DETACH)),
		try("umount-cwd", umountFrom("/", "/proc/self/cwd"+path)),
		try("umount-relative", umountFrom(filepath.Dir(path), filepath.Base(path))),
		try("umount-below-descriptor", umountBelow(path)),
		try("move", unix.Mount(path, scratch, "", unix.MS_MOVE, "")),
		try("move_mount", unix.MoveMount(minus100, path, minus100, scratch, 0)),
		try("move_mount-descriptor", moveDescriptor(path, scratch)),
		try("rename", unix.Rename(path, path+".old")),
		try("unlink", unix.Unlink(path)),
		try("chmod", unix.Chmod(path, 0o777)),
		try("chown", unix.Chown(path, 1000, 1000)),
		try("setxattr", unix.Setxattr(path, "user.x", []byte("y"), 0)),
		try("truncate", truncated(path)),
	}
	report = append(report, int80Umounts(path)...)
	for i := range report {
		report[i].Effect = false
	}
	after, err := deviceOf(path)
	report = append(report, attempt.Attempt{Name: "all", Errno: errno(err), Effect: before != after, Detail: fmt.Sprintf("%d, then %d", before, after)})

	// What the container mounts over it is its own, and can be taken away once.
	own := attempt.Attempt{Name: "own"}
	if err := unix.Mount("/dev/null", path, "", unix.MS_BIND, ""); err != nil {
		own.Errno = errno(err)
	} else if err := unix.Unmount(path, 0); err != nil {
		own.Errno = errno(err)
	} else if device, err := deviceOf(path); err != nil || device != before {
		own.Effect, own.Detail = true, "the pseudo-file went with what had been mounted over it"
	}
	return append(report, own), nil
}

func deviceOf(path string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	return uint64(st.Dev), err
}

func umountDescriptor(path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Unmount(fmt.Sprintf("/proc/self/fd/%d", fd), unix.MNT_DETACH)
}

// umountFrom names the file from a working directory.
func umountFrom(dir, path string) error {
	if err := unix.Chdir(dir); err != nil {
		return err
	}
	defer unix.Chdir("/")
	return unix.Unmount(path, unix.MNT_DETACH)
}

// umountBelow names the file from an open directory.
func umountBelow(path string) error {
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Unmount(fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path)), unix.MNT_DETACH)
}

func moveDescriptor(path, scratch string) error {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.MoveMount(fd, "", unix.AT_FDCWD, scratch, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// truncated empties a file; that it stays what it was is told by its content.
func truncated(path string) error {
	before := readFile(path)
	if err := unix.Truncate(path, 0); err != nil {
		return err
	}
	if len(readFile(path)) == 0 && len(before) > 0 {
		return errors.New("the file is empty now")
	}
	return nil
}

// remounts makes a new procfs read-only and writable again, and takes it away in the ways
// that people do.
func remounts([]string) (any, error) {
	dir, err := os.MkdirTemp("/tmp", "remount-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(dir)
	setting := filepath.Join(dir, "sys/kernel/panic")
	empty := func() error {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			return fmt.Errorf("%d entries are left: %w", len(entries), err)
		}
		return nil
	}
	const bind = unix.MS_REMOUNT | unix.MS_BIND
	var report []attempt.Attempt
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"mount", func() error { return unix.Mount("proc", dir, "proc", 0, "") }},
		{"write", func() error { return rewrite(setting) }},
		{"remount,bind,ro", func() error { return unix.Mount("", dir, "", bind|unix.MS_RDONLY, "") }},
		{"write, read-only", func() error { return rewrite(setting) }},
		{"write another, read-only", func() error { return rewrite(filepath.Join(dir, "sys/net/ipv4/ip_forward")) }},
		{"remount,bind,rw", func() error { return unix.Mount("", dir, "", bind, "") }},
		{"write again", func() error { return rewrite(setting) }},
		{"umount", func() error { return errors.Join(unix.Unmount(dir, 0), empty()) }},
		{"mount again", func() error { return unix.Mount("proc", dir, "proc", 0, "") }},
		{"umount -l", func() error { return errors.Join(unix.Unmount(dir, unix.MNT_DETACH), empty()) }},
		{"mount sysfs", func() error { return unix.Mount("sysfs", dir, "sysfs", 0, "") }},
		{"umount sysfs", func() error { return errors.Join(unix.Unmount(dir, 0), empty()) }},
		{"umount of nothing", func() error { return unix.Unmount(dir, 0) }},
	} {
		report = append(report, try(step.name, step.run()))
	}
	return report, nil
}
