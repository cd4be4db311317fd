package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
)

// nothingStarts is what it costs when something is missing that everything needs.
const nothingStarts = "no container starts"

func probeKernel(context.Context, *bench) []finding {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return []finding{{"kernel", missing, err.Error(), nothingStarts, "run Linux 5.19 or newer"}}
	}
	release := unix.ByteSliceToString(u.Release[:])
	if err := idmap.Require(); err != nil {
		return []finding{{"kernel", missing, err.Error(), nothingStarts, "run Linux 5.19 or newer, with CONFIG_USER_NS and CONFIG_TIME_NS"}}
	}
	return ok("kernel", "Linux %s", release)
}

func probeUserNamespaces(_ context.Context, b *bench) []finding {
	const what = "user namespaces"
	ns, err := idmap.NewUserNamespace(idmap.Range{Base: b.cfg.IDs.Base, Size: b.cfg.IDs.Size})
	switch {
	case errors.Is(err, unix.ENOSPC):
		return []finding{{what, missing, err.Error(), nothingStarts, "sysctl user.max_user_namespaces=65536"}}
	case errors.Is(err, unix.EPERM):
		return []finding{{what, missing, err.Error(), nothingStarts, "run this as root of the host, with all its capabilities"}}
	case err != nil:
		return []finding{{what, missing, err.Error(), nothingStarts, "boot a kernel with CONFIG_USER_NS"}}
	}
	ns.Close()
	return ok(what, "made one with %d IDs from %d", b.cfg.IDs.Size, b.cfg.IDs.Base)
}

func probeTimeNamespaces(context.Context, *bench) []finding {
	const what = "time namespaces"
	err := linux.OnThread(func() error { return unix.Unshare(unix.CLONE_NEWTIME) })
	if err != nil {
		return []finding{{what, missing, fmt.Sprintf("making one: %v", err), nothingStarts + ": the time since boot would be the host's", "boot a kernel with CONFIG_TIME_NS"}}
	}
	return ok(what, "made one")
}

// probeIDMappedMounts maps a mount of every file system on which containers' files are
// likely to lie.
func probeIDMappedMounts(ctx context.Context, b *bench) []finding {
	const what = "ID-mapped mounts"
	ns, err := idmap.NewUserNamespace(idmap.Range{Base: b.cfg.IDs.Base, Size: b.cfg.IDs.Size})
	if err != nil {
		return nil // said already
	}
	defer ns.Close()
	var good, bad []string
	seen := map[uint64]bool{}
	for _, dir := range b.dirs(ctx) {
		fsType, dev, err := mapMount(dir, ns)
		if errors.Is(err, fs.ErrNotExist) || seen[dev] {
			continue
		}
		seen[dev] = true
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s at %s (%v)", fsType, dir, errors.Unwrap(err)))
		} else {
			good = append(good, fmt.Sprintf("%s at %s", fsType, dir))
		}
	}
	var out []finding
	if len(good) > 0 {
		out = ok(what, "%s", strings.Join(good, ", "))
	}
	if len(bad) > 0 {
		out = append(out, finding{
			what, worse, "not on " + strings.Join(bad, ", "),
			"containers whose root file system or volumes lie there are refused", "move them to ext4, xfs, btrfs or tmpfs, or to a kernel that can map this file system",
		})
	}
	return out
}

// dirs are where the files of containers lie.
func (b *bench) dirs(ctx context.Context) []string {
	dirs := []string{"/var/lib/containerd", "/var/lib/docker", "/var/lib/docker/volumes", "/var/lib/nerdctl", "/var/lib/kubelet", "/run", "/home", "/srv", "/"}
	return append(b.snapshotters(ctx), dirs...)
}

// mapMount maps a detached copy of the mount of a directory. Nobody else sees it.
func mapMount(dir string, ns *os.File) (fsType string, dev uint64, err error) {
	source, err := idmap.OpenSource(nil, dir)
	if err != nil {
		return "", 0, err
	}
	defer source.Close()
	if fsType, err = source.FSType(); err != nil {
		return "", 0, err
	}
	tree, err := linux.OpenTree(source.File, "", false)
	if err != nil {
		return fsType, source.Stat.Dev, err
	}
	defer tree.Close()
	return fsType, source.Stat.Dev, linux.SetAttr(tree, linux.Attr{Set: unix.MOUNT_ATTR_IDMAP, UserNS: ns})
}

func probeSeccomp(context.Context, *bench) []finding {
	const what = "seccomp"
	data, err := os.ReadFile("/proc/sys/kernel/seccomp/actions_avail")
	if err != nil {
		return []finding{{what, worse, "the kernel has none", "profiles of clients cannot be applied; isolation does not rely on them", "boot a kernel with CONFIG_SECCOMP_FILTER"}}
	}
	if !slices.Contains(strings.Fields(string(data)), "user_notif") {
		return []finding{{what, worse, "filters, without notifications", "system calls cannot be answered by an agent", "boot Linux 5.0 or newer"}}
	}
	return ok(what, "filters and notifications")
}

// probeFUSE looks for what serves the files that show a container itself.
func probeFUSE(context.Context, *bench) []finding {
	const what, path = "FUSE", "/dev/fuse"
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return []finding{{what, missing, err.Error(), nothingStarts, "load the module fuse, or set emulation.enabled = false"}}
	}
	f.Close()
	return ok(what, "%s", path)
}

func probeCgroups(context.Context, *bench) []finding {
	const what, root = "cgroups", "/sys/fs/cgroup"
	var st unix.Statfs_t
	if err := unix.Statfs(root, &st); err != nil {
		return []finding{{what, missing, err.Error(), nothingStarts, "mount cgroup2 at " + root}}
	}
	if st.Type == unix.CGROUP2_SUPER_MAGIC {
		controllers, _ := os.ReadFile(root + "/cgroup.controllers")
		return ok(what, "version 2: %s", strings.TrimSpace(string(controllers)))
	}
	entries, _ := os.ReadDir(root)
	var names []string
	for _, e := range entries {
		if e.IsDir() && unix.Access(root+"/"+e.Name()+"/cgroup.procs", unix.F_OK) == nil {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return []finding{{what, missing, "nothing is mounted at " + root, nothingStarts, "mount cgroup2 at " + root}}
	}
	if i := slices.Index(names, "unified"); i >= 0 {
		return ok(what, "version 1, with version 2 beside it: %s", strings.Join(slices.Delete(names, i, i+1), " "))
	}
	return ok(what, "version 1: %s", strings.Join(names, " "))
}
