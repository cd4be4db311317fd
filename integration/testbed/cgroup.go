package testbed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Cgroup is the cgroup below which the bed's containers live, relative to the
// root of each hierarchy.
func (d *Daemon) Cgroup() string { return "/eci-test-" + strings.TrimPrefix(d.Name, prefix) }

// CgroupDirs returns the directories of the cgroup at path (relative to the
// roots), as many as there are hierarchies in which it exists.
func CgroupDirs(path string) []string {
	var dirs []string
	for _, root := range hierarchies() {
		dir := filepath.Join(root, path)
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// hierarchies returns where cgroup hierarchies of either version are mounted.
func hierarchies() []string {
	var roots []string
	for _, m := range hostMounts() {
		if m.fsType == "cgroup" || m.fsType == "cgroup2" {
			roots = append(roots, m.point)
		}
	}
	return roots
}

// subgroups returns the cgroups below path in all hierarchies, without path's
// own, deepest first.
func subgroups(path string) []string {
	var found []string
	for _, top := range CgroupDirs(path) {
		_ = filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() && p != top {
				found = append(found, p)
			}
			return nil
		})
	}
	slices.SortFunc(found, func(a, b string) int { return strings.Compare(b, a) })
	return found
}

// cgroupPids returns the processes in the cgroup at path and below it.
func cgroupPids(path string) []int {
	var pids []int
	for _, dir := range append(subgroups(path), CgroupDirs(path)...) {
		data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 && !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// removeCgroups removes the cgroup at path and all below it. They must be empty.
func removeCgroups(path string) error {
	var errs []error
	for _, dir := range append(subgroups(path), CgroupDirs(path)...) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// MakeCgroups makes the cgroup at path in all hierarchies.
func MakeCgroups(path string) error {
	var errs []error
	for _, root := range hierarchies() {
		errs = append(errs, os.MkdirAll(filepath.Join(root, path), 0o755))
	}
	return errors.Join(errs...)
}

// RemoveCgroups removes the cgroup at path and all below it, which must be empty.
func RemoveCgroups(path string) error { return removeCgroups(path) }
