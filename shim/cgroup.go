package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/moby/sys/mountinfo"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/policy"
)

// delegatedV1 are the files of a cgroup v1 directory that its delegate may write,
// beside the directory itself: where processes are put. The limit files are not
// among them, and so a container can divide what it has and never have more
// (cgroups(7), "Cgroups delegation").
var delegatedV1 = []string{"cgroup.procs", "tasks"}

// delegatedV2 reads from the kernel what the delegate of a cgroup v2 directory may
// write (since Linux 4.15; /sys/kernel/cgroup/delegate).
var delegatedV2 = sync.OnceValue(func() []string {
	data, err := os.ReadFile("/sys/kernel/cgroup/delegate")
	if err != nil {
		return []string{"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}
	}
	return strings.Fields(string(data))
})

// delegateCgroups gives the cgroup directories that runc made for the container to
// the container's root user. Which these are is read from runc's state, never
// derived from the process: in a hierarchy that runc left alone, a container shares
// the cgroup of its shim.
//
// runc does this itself only for version 2, with systemd's driver, for the user of
// the first process, and if the spec mounts cgroups writable.
func delegateCgroups(paths map[string]string, uid, gid int) error {
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	for controller, dir := range paths {
		if !slices.ContainsFunc(roots, func(root string) bool { return dir != root && within(dir, root) }) {
			return fmt.Errorf("runc's state of the container names %q, which is no cgroup", dir)
		}
		files := delegatedV1
		if controller == "" {
			files = delegatedV2()
			if err := boundV2(dir); err != nil {
				return err
			}
		}
		if err := delegate(dir, files, uid, gid); err != nil {
			return err
		}
	}
	return nil
}

// boundsV2 are how many cgroups a container may make on version 2, and how deep: enough
// for systemd and a Kubernetes node in it, and for another one in that. Version 1 has no
// bounds. The files stay root's.
var boundsV2 = map[string]string{"cgroup.max.depth": "64", "cgroup.max.descendants": "10000"}

func boundV2(dir string) error {
	cgroup, err := openCgroup(dir)
	if err != nil {
		return err
	}
	defer cgroup.Close()
	for name, value := range boundsV2 {
		if err := writeIn(cgroup, name, value); err != nil {
			return fmt.Errorf("delegate cgroup: %w", err)
		}
	}
	return nil
}

func delegate(dir string, files []string, uid, gid int) error {
	for _, name := range append([]string{"."}, files...) {
		err := os.Lchown(filepath.Join(dir, name), uid, gid)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delegate cgroup: %w", err)
		}
	}
	return nil
}

// cgroupPaths returns the container's directory in every hierarchy, by controller.
func cgroupPaths(runcState string) (map[string]string, error) {
	data, err := os.ReadFile(filepath.Join(runcState, "state.json"))
	if err != nil {
		return nil, err
	}
	var state struct {
		CgroupPaths map[string]string `json:"cgroup_paths"`
	}
	if err := json.Unmarshal(data, &state); err != nil {
		return nil, fmt.Errorf("runc's state of the container: %w", err)
	}
	return state.CgroupPaths, nil
}

// cgroupRoots are the mount points of the host's cgroup hierarchies.
var cgroupRoots = sync.OnceValues(func() ([]string, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, err
	}
	var roots []string
	for _, m := range mounts {
		if within(m.Mountpoint, "/sys/fs/cgroup") {
			roots = append(roots, m.Mountpoint)
		}
	}
	return roots, nil
})

// ownCgroup is the cgroup of a container whose client leaves it open. runc would take one
// below that of the shim, which is the client's to choose, with the container's id for its
// name: some other cgroup's name, if the client wants that.
func ownCgroup(bundle string, systemd bool) string {
	id := filepath.Base(bundle)
	namespace := filepath.Base(filepath.Dir(bundle))
	if systemd {
		return ":eci-" + namespace + ":" + id
	}
	return filepath.Join("/eci", namespace, id)
}

// cgroupTaken says why the cgroup that a spec names could not be the container's
// alone, in any hierarchy: somebody is in it, or a cgroup above it was delegated to
// somebody. Engines make the cgroups above a container's, never its own.
func cgroupTaken(spec *specs.Spec) (string, error) {
	if spec.Linux == nil || !filepath.IsAbs(spec.Linux.CgroupsPath) {
		return "", nil
	}
	roots, err := cgroupRoots()
	if err != nil {
		return "", err
	}
	for _, root := range roots {
		if why := takenIn(root, filepath.Clean(spec.Linux.CgroupsPath)); why != "" {
			return why, nil
		}
	}
	return "", nil
}

// claimCgroup makes the cgroup in one hierarchy, the first: of several containers
// that name the same, one succeeds. The others are refused as by the rule cgroup.
func claimCgroup(path string) (dir string, err error) {
	if !filepath.IsAbs(path) {
		return "", nil // runc's default is named after the container; systemd's driver
	}
	roots, err := cgroupRoots()
	if err != nil || len(roots) == 0 {
		return "", err
	}
	dir = filepath.Join(roots[0], path)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("linux.cgroupsPath: %w", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, os.ErrExist) {
			return "", policy.CgroupTaken(path, dir+" exists already")
		}
		return "", fmt.Errorf("linux.cgroupsPath: %w", err)
	}
	return dir, nil
}

func takenIn(root, path string) string {
	dir := filepath.Join(root, path)
	if entries, err := os.ReadDir(dir); err == nil {
		if procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs")); err != nil || len(procs) > 0 {
			return dir + " has processes"
		}
		if slices.ContainsFunc(entries, fs.DirEntry.IsDir) {
			return dir + " has cgroups below it"
		}
	}
	return foreignIn(root, filepath.Dir(path))
}

// foreignIn says which directory on the way from a hierarchy's root to a cgroup
// was delegated to somebody, who rules over everything below it.
func foreignIn(root, path string) string {
	for up := filepath.Join(root, path); up != root && within(up, root); up = filepath.Dir(up) {
		var st unix.Stat_t
		if unix.Stat(up, &st) == nil && st.Uid != 0 {
			return fmt.Sprintf("%s belongs to user %d", up, st.Uid)
		}
	}
	return ""
}

// isSystemdCgroup tells whether a cgroups path is written for systemd's driver,
// slice:prefix:name, which clients that pass no options expect to be understood.
func isSystemdCgroup(path string) bool {
	return strings.Count(path, ":") == 2 && !strings.HasPrefix(path, "/")
}
