package policy

import (
	"fmt"
	"path"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkMountPaths wants paths that mean one thing.
func checkMountPaths(r *request, _ *Decision) *Violation {
	for i, m := range r.spec.Mounts {
		to := fmt.Sprintf("mounts[%d].destination", i)
		switch {
		case !path.IsAbs(m.Destination):
			return malformed(to, "the destination %q is not an absolute path", m.Destination)
		case hasDotDot(m.Destination):
			return malformed(to, "the destination %q climbs with \"..\"", m.Destination)
		case hasNull(m.Destination):
			return malformed(to, "the destination %q holds a null byte", m.Destination)
		case path.Clean(m.Destination) == "/":
			return denied(to, "the destination %q is the rootfs itself", m.Destination)
		}
		if !IsBind(m) {
			continue
		}
		from := fmt.Sprintf("mounts[%d].source", i)
		switch {
		case m.Source == "":
			return malformed(from, "the bind mount onto %q has no source", m.Destination)
		case !path.IsAbs(m.Source):
			return malformed(from, "the source %q is not an absolute path", m.Source)
		case hasNull(m.Source):
			return malformed(from, "the source %q holds a null byte", m.Source)
		}
	}
	return nil
}

// stacking are the file systems that show directories named by their source
// or options, and that some kernel lets a user namespace mount
// (FS_USERNS_MOUNT): overlayfs everywhere, shiftfs and aufs as patched into
// kernels of distributions. What else the kernel knows is its own to refuse.
var stacking = []string{"overlay", "overlayfs", "shiftfs", "aufs"}

// checkMountTypes refuses stacking file systems: runc mounts while it still
// sees the host's tree, so they would be volumes that no rule has looked at.
func checkMountTypes(r *request, _ *Decision) *Violation {
	for i, m := range r.spec.Mounts {
		if !IsBind(m) && slices.Contains(stacking, m.Type) {
			return denied(fmt.Sprintf("mounts[%d].type", i),
				"a mount of the type %s onto %q would show directories of the host that no rule has looked at; mount it on the host and bind the result", m.Type, m.Destination)
		}
	}
	return nil
}

// checkMountOptions refuses what runc refuses for a bind: most of these are
// never seen by runc, because they are staged.
func checkMountOptions(r *request, _ *Decision) *Violation {
	for i, m := range r.spec.Mounts {
		if !IsBind(m) {
			continue
		}
		for _, o := range m.Options {
			if !slices.Contains(bindOptions, o) {
				return malformed(fmt.Sprintf("mounts[%d].options", i), "%q is not an option of a bind mount", o)
			}
		}
	}
	return nil
}

// checkMountMappings accepts an ID-mapped mount if its mapping is the
// container's, because that is what every volume gets anyway.
func checkMountMappings(r *request, d *Decision) *Violation {
	for i, m := range r.spec.Mounts {
		field := fmt.Sprintf("mounts[%d]", i)
		if !IsBind(m) {
			if len(m.UIDMappings)+len(m.GIDMappings) > 0 || has(m, "idmap") || has(m, "ridmap") {
				return malformed(field, "only bind mounts can be ID-mapped, and %q is none", m.Destination)
			}
			continue
		}
		if v := sameMapping(field+".uidMappings", m.UIDMappings, d.Mapping); v != nil {
			return v
		}
		if v := sameMapping(field+".gidMappings", m.GIDMappings, d.Mapping); v != nil {
			return v
		}
	}
	return nil
}

// sameMapping compares without an opinion on the order of extents.
func sameMapping(field string, extents []specs.LinuxIDMapping, want *specs.LinuxIDMapping) *Violation {
	if len(extents) == 0 {
		return nil
	}
	if want == nil {
		return denied(field, "the mount has a mapping of its own, but the container has none that it could be compared with")
	}
	if len(extents) > maxExtents {
		return malformed(field, "the mapping has %d extents, and the kernel takes %d", len(extents), maxExtents)
	}
	if v := twice(field, extents); v != nil {
		return v
	}
	if whole, ok := join(extents); !ok || whole != *want {
		return denied(field, "the mount's mapping is not the container's, which is %s", show(*want))
	}
	return nil
}

// checkDevMounts keeps /dev the runtime's: its nodes work only on a tmpfs that
// belongs to the host, and must be no others than those that were decided.
func checkDevMounts(r *request, _ *Decision) *Violation {
	for i, m := range r.spec.Mounts {
		if !isDev(m) {
			continue
		}
		switch {
		case IsBind(m):
			return denied(fmt.Sprintf("mounts[%d].destination", i),
				"%q cannot be mounted over /dev: a container has a /dev of its own; ask for single devices instead", m.Source)
		case m.Type != "tmpfs" && m.Type != "devtmpfs":
			return denied(fmt.Sprintf("mounts[%d].type", i), "/dev has to be a tmpfs, not %q", m.Type)
		case ReadOnly(m):
			return unsupported(fmt.Sprintf("mounts[%d].options", i), "a read-only /dev is not built yet")
		}
	}
	return nil
}

// checkVolumeSources wants to know what a source is; devices are looked at by
// the rules for devices.
func checkVolumeSources(r *request, _ *Decision) *Violation {
	for _, layer := range r.facts.Layers {
		if layer.Why != "" {
			return denied("root.path", "the root file system is made of %s, and %s", plain(layer.Path), layer.Why)
		}
		if layer.Own != "" {
			return denied("root.path", "the root file system is, holds or lies in %q, where this runtime keeps what isolates containers", layer.Own)
		}
	}
	for i, m := range r.spec.Mounts {
		if !IsBind(m) {
			continue
		}
		field := fmt.Sprintf("mounts[%d].source", i)
		if why := r.facts.Sources[i].Why; why != "" {
			return denied(field, "can't mount %s because %s", plain(m.Source), why)
		}
		if own := r.facts.Sources[i].Own; own != "" {
			return denied(field, "can't mount %q because it is, holds or lies in %q, where this runtime keeps what isolates containers", m.Source, own)
		}
		switch s := r.facts.Sources[i]; s.Kind {
		case KindDir, KindFile, KindSocket, KindOther, KindDevice:
		case "":
			return malformed(field, "the source %q does not exist", m.Source)
		default:
			return unsupported(field, "the source %q is of the unknown kind %q", m.Source, s.Kind)
		}
	}
	return nil
}
