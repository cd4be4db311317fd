package host

import (
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// devices finds the device nodes of the host that the configuration lets containers
// have. It costs a walk through /dev, and so is left out for a spec that asks for no
// device: then no rule wants to know.
func devices(cfg policy.Config, spec *specs.Spec, facts policy.Facts) ([]policy.Node, error) {
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
	if spec.Linux == nil {
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
