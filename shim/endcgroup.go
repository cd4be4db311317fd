package shim

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// endPatience is how long a container's cgroups may take to become empty once
// everything in them has been killed; containerd gives "delete" five seconds.
const endPatience = 3 * time.Second

// clearPatience is how long it may take to remove what a container has made below its
// cgroups: on version 1 it can make tens of thousands.
const clearPatience = time.Minute

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
	if err != nil || spec.Linux == nil {
		return nil
	}
	path := cmp.Or(spec.Linux.CgroupsPath, ownCgroup(bundle, false))
	if !filepath.IsAbs(path) || filepath.Clean(path) == "/" {
		return nil // systemd ends its scopes itself
	}
	roots, err := cgroupRoots()
	if err != nil {
		return nil
	}
	paths := make(map[string]string)
	for _, root := range roots {
		controller := strings.TrimPrefix(strings.TrimPrefix(root, "/sys/fs/cgroup"), "/")
		paths[controller] = filepath.Join(root, path)
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
	return endTrees(ctx, paths, removeCgroupTree)
}

// endCgroupsBelow does it with those that the container made below its own, before runc
// removes the container: runc walks by paths, and gives up where these are too long.
func endCgroupsBelow(ctx context.Context, paths map[string]string) error {
	if !hasCgroupsBelow(paths) {
		return nil
	}
	return endTrees(ctx, paths, removeCgroupsBelow)
}

// endTrees has the cgroups removed, and kills what keeps them.
func endTrees(ctx context.Context, paths map[string]string, remove func(context.Context, string) error) error {
	for pause := time.Millisecond; ; pause *= 2 {
		var errs []error
		for _, dir := range paths {
			errs = append(errs, remove(ctx, dir))
		}
		err := errors.Join(errs...)
		if err == nil || !errors.Is(err, unix.EBUSY) {
			return err
		}
		resume(paths)
		thaw(ctx, paths)
		killAll(ctx, paths)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// killAll sends SIGKILL to every process in the cgroups and below them.
func killAll(ctx context.Context, paths map[string]string) {
	for _, dir := range paths {
		cgroup, err := openCgroup(dir)
		if err != nil {
			continue
		}
		kill(cgroup)
		cgroup.Close()
		forEachCgroupBelow(ctx, dir, kill)
	}
}

// kill kills what is in one cgroup. A process whose first thread has ended may be
// found by its other threads only; a signal to one of them is for all.
func kill(cgroup *os.File) {
	if writeIn(cgroup, "cgroup.kill", "1") == nil {
		return // version 2, Linux 5.14
	}
	for _, file := range []string{"cgroup.procs", "cgroup.threads", "tasks"} {
		data, err := readIn(cgroup, file)
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

// readIn reads a file of an opened cgroup.
func readIn(cgroup *os.File, name string) ([]byte, error) {
	f, err := linux.OpenAt(cgroup, name, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// writeIn writes to a file of an opened cgroup; every write is for itself.
func writeIn(cgroup *os.File, name, value string) error {
	f, err := linux.OpenAt(cgroup, name, unix.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}
