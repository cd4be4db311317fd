package shim

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// endPatience is how long a container's cgroups may take to become empty once
// everything in them has been killed; containerd gives "delete" five seconds.
const endPatience = 3 * time.Second

// containerCgroups are the cgroup directories of a container, by controller, "" for
// version 2: those in runc's state or, where runc was killed before it had saved
// any, those that the spec names. They are the container's alone, for its spec was
// accepted (rule cgroup); of one that was refused there are none.
func containerCgroups(bundle, runcState string) map[string]string {
	if _, err := os.Lstat(filepath.Join(bundle, stateLink)); err != nil {
		return nil
	}
	if paths, err := cgroupPaths(runcState); err == nil {
		return paths
	}
	spec, err := loadSpec(bundle)
	if err != nil || spec.Linux == nil || !filepath.IsAbs(spec.Linux.CgroupsPath) || filepath.Clean(spec.Linux.CgroupsPath) == "/" {
		return nil // systemd ends its scopes itself
	}
	roots, err := cgroupRoots()
	if err != nil {
		return nil
	}
	paths := make(map[string]string)
	for _, root := range roots {
		controller := strings.TrimPrefix(strings.TrimPrefix(root, "/sys/fs/cgroup"), "/")
		paths[controller] = filepath.Join(root, spec.Linux.CgroupsPath)
	}
	return paths
}

// endCgroups kills whatever is left in the cgroups of a container that must not
// live, and removes them. runc does both for a container that it knows and that it
// takes for alive: one whose first thread was killed by its own seccomp filter is
// neither (its other threads live on), nor is one that was killed while it was made.
func endCgroups(paths map[string]string) error {
	ctx, cancel := context.WithTimeout(context.Background(), endPatience)
	defer cancel()
	for pause := time.Millisecond; ; pause *= 2 {
		var errs []error
		for _, dir := range paths {
			errs = append(errs, removeCgroupTree(dir))
		}
		err := errors.Join(errs...)
		if err == nil || !errors.Is(err, unix.EBUSY) {
			return err
		}
		thaw(paths)
		killAll(paths)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// killAll sends SIGKILL to every process in the cgroups and below them.
func killAll(paths map[string]string) {
	for _, dir := range paths {
		kill(dir)
		forEachCgroupBelow(dir, kill)
	}
}

// kill kills what is in one cgroup. A process whose first thread has ended may be
// found by its other threads only; a signal to one of them is for all.
func kill(dir string) {
	if os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0) == nil {
		return // version 2, Linux 5.14
	}
	for _, file := range []string{"cgroup.procs", "cgroup.threads", "tasks"} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
	}
}

// removeCgroupTree removes a cgroup and those below it. EBUSY: there is a process
// in one of them.
func removeCgroupTree(dir string) error {
	err := unix.Rmdir(dir)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	entries, readErr := os.ReadDir(dir)
	if readErr != nil && !errors.Is(readErr, os.ErrNotExist) {
		return readErr
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeCgroupTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}
