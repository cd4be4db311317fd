package shim

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/api/types"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// observe finds out what the spec asks for.
func observe(cfg policy.Config, host *hostView, bundle string, spec *specs.Spec, rootfs []*types.Mount) (policy.Facts, sources, error) {
	facts, err := kernelFacts()
	if err != nil {
		return facts, nil, err
	}
	opened, err := openSources(host, spec)
	if err != nil {
		return facts, nil, err
	}
	facts.Sources = make(map[int]policy.Source, len(opened))
	own := ownDirs(cfg, bundle)
	if facts.RootOwn, err = rootReaches(host, spec, rootfs, bundle, own); err != nil {
		opened.Close()
		return facts, nil, err
	}
	for i, source := range opened {
		described := describe(source.Path, source.Stat)
		if described.Own, err = reaches(source, own); err != nil {
			opened.Close()
			return facts, nil, err
		}
		facts.Sources[i] = described
	}
	if facts.CgroupTaken, err = cgroupTaken(spec); err != nil {
		opened.Close()
		return facts, nil, err
	}
	if facts.Devices, err = hostDevices(cfg, spec, facts); err != nil {
		opened.Close()
		return facts, nil, err
	}
	return facts, opened, nil
}

// hostDevices finds the device nodes of the host that the configuration lets
// containers have. It costs a walk through /dev, and so is left out for a spec
// that asks for no device: then no rule wants to know.
func hostDevices(cfg policy.Config, spec *specs.Spec, facts policy.Facts) ([]policy.Node, error) {
	if !wantsDevices(spec, facts) {
		return nil, nil
	}
	var nodes []policy.Node
	for _, pattern := range cfg.Devices.Allow {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			if node, ok := deviceNode(path); ok {
				nodes = append(nodes, node)
			}
		}
	}
	return nodes, nil
}

func wantsDevices(spec *specs.Spec, facts policy.Facts) bool {
	for _, source := range facts.Sources {
		if source.Kind == policy.KindDevice {
			return true
		}
	}
	if spec == nil || spec.Linux == nil {
		return false
	}
	return len(spec.Linux.Devices) > 0 || allowsAll(spec.Linux.Resources)
}

// allowsAll tells whether the client asked for all devices at once.
func allowsAll(r *specs.LinuxResources) bool {
	if r == nil {
		return false
	}
	for _, rule := range r.Devices {
		if rule.Allow && (rule.Major == nil || rule.Minor == nil) {
			return true
		}
	}
	return false
}

// deviceNode describes the device node at path; what is none is not described.
func deviceNode(path string) (policy.Node, bool) {
	f, err := linux.OpenPath(path)
	if err != nil {
		return policy.Node{}, false
	}
	defer f.Close()
	st, err := linux.StatFile(f)
	if err != nil {
		return policy.Node{}, false
	}
	return nodeOf(path, st)
}

func nodeOf(path string, st linux.Stat) (policy.Node, bool) {
	node := policy.Node{
		Path: path, Mode: st.Mode & 0o777, UID: st.UID, GID: st.GID,
		Major: int64(unix.Major(st.Rdev)), Minor: int64(unix.Minor(st.Rdev)),
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		node.Type = "c"
	case unix.S_IFBLK:
		node.Type = "b"
	default:
		return policy.Node{}, false
	}
	return node, true
}

// kernelFacts are the facts that no spec changes.
func kernelFacts() (facts policy.Facts, err error) {
	_, missing := os.Lstat("/proc/self/ns/time")
	facts.TimeNamespace = missing == nil
	if facts.Boottime, err = linux.Boottime(); err != nil {
		return facts, err
	}
	facts.Monotonic, err = linux.Monotonic()
	return facts, err
}

// describe says what an opened source is.
func describe(path string, st linux.Stat) policy.Source {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return policy.Source{Kind: policy.KindDir}
	case unix.S_IFREG:
		return policy.Source{Kind: policy.KindFile}
	case unix.S_IFSOCK:
		return policy.Source{Kind: policy.KindSocket}
	}
	if node, ok := nodeOf(path, st); ok {
		return policy.Source{Kind: policy.KindDevice, Node: node}
	}
	return policy.Source{Kind: policy.KindOther}
}

// ownDirs are the directories whose content decides who is isolated from whom:
// claims, runc's state of containers, and their bundles. A container that could
// write there could take another's range, or have runc run a program as root.
func ownDirs(cfg policy.Config, bundle string) []string {
	dirs := append([]string{cfg.StateDir, filepath.Dir(filepath.Dir(bundle))}, cfg.RuncRoots...)
	for i, dir := range dirs {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dirs[i] = real
		}
	}
	return dirs
}

// rootReaches says the same of the directories that the root file system is made of.
func rootReaches(host *hostView, spec *specs.Spec, rootfs []*types.Mount, bundle string, own []string) (string, error) {
	for _, dir := range rootDirs(spec, rootfs, bundle) {
		source, err := idmap.OpenSource(host.root, dir)
		if err != nil {
			continue // mounting it fails, and says why
		}
		reached, err := reaches(source, own)
		source.Close()
		if reached != "" || err != nil {
			return reached, err
		}
	}
	return "", nil
}

// rootDirs are the directories of the host that make up a root file system; the
// place in its own bundle that containerd has made for it is none.
func rootDirs(spec *specs.Spec, rootfs []*types.Mount, bundle string) []string {
	if len(rootfs) == 0 {
		if spec.Root == nil || !filepath.IsAbs(spec.Root.Path) && filepath.Dir(rootPath(spec, bundle)) == bundle {
			return nil
		}
		return []string{rootPath(spec, bundle)}
	}
	var dirs []string
	for _, m := range rootfs {
		dirs = append(dirs, m.Source)
		for _, option := range m.Options {
			switch key, value, _ := strings.Cut(option, "="); key {
			case "lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir":
				dirs = append(dirs, strings.Split(value, ":")...)
			}
		}
	}
	return slices.DeleteFunc(dirs, func(dir string) bool { return !filepath.IsAbs(dir) })
}

// reaches says which of the directories the source is, holds or lies in, by the
// path at which the kernel has opened it.
func reaches(source *idmap.Source, dirs []string) (string, error) {
	real, err := linux.PathOf(source.File)
	if err != nil {
		return "", err
	}
	for _, dir := range dirs {
		if within(real, dir) || within(dir, real) {
			return dir, nil
		}
	}
	return "", nil
}
