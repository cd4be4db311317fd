package policy

import (
	"path"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// decideState says which directories of the container are to be reached without overlayfs:
// those of the list, if the container has the right to mount something there, and can
// write.
func decideState(r *request, d *Decision) {
	if !r.spec.Root.Readonly && mayMount(r.spec.Process) {
		d.State = slices.Clone(r.cfg.State.Directories)
	}
}

// mayMount tells whether some process of the container can have CAP_SYS_ADMIN.
func mayMount(p *specs.Process) bool {
	const admin = "CAP_SYS_ADMIN"
	return p.Capabilities != nil && (slices.Contains(p.Capabilities.Bounding, admin) || slices.Contains(p.Capabilities.Effective, admin))
}

// Exposes tells whether a directory is to be reached without overlayfs: dir of
// [Decision.State], or what the image configures in its stead, which the rootfs resolves to
// target. Mounts and targets are as for [Place].
//
// What the client mounts there, or above, holds; what it mounts below comes on top of it. An
// image may lead anywhere by links, but not into directories that are no engine's.
func Exposes(dir, target string, mounts []specs.Mount, targets []string) bool {
	at := spot{dir, target}
	if badState(at.name) != "" || badState(at.target) != "" {
		return false
	}
	for i, m := range mounts {
		of := spot{path.Clean(m.Destination), path.Clean(m.Destination)}
		if i < len(targets) && targets[i] != "" {
			of.target = path.Clean(targets[i])
		}
		if at.on(of) {
			return false
		}
	}
	return true
}
