package policy

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// checkCgroup keeps the container in a cgroup of its own, which is going to be
// delegated to it. That the cgroup is empty is looked at by runc (>= 1.1).
func checkCgroup(r *request, _ *Decision) *Violation {
	p := r.spec.Linux.CgroupsPath
	switch {
	case p == "":
	case hasDotDot(p):
		return denied("linux.cgroupsPath", "the cgroup %q climbs with \"..\"", p)
	case path.Clean(p) == "/" || path.Clean(p) == ".":
		return denied("linux.cgroupsPath", "the cgroup %q is the root cgroup, or the runtime's own", p)
	case hasNull(p):
		return malformed("linux.cgroupsPath", "the cgroup %q holds a null byte", p)
	}
	if r.spec.Linux.Resources == nil {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(r.spec.Linux.Resources.Unified)) {
		if strings.HasPrefix(key, "cgroup.") {
			return denied("linux.resources.unified", "%q manages cgroups (processes, controllers); a client may set limits only", key)
		}
	}
	return nil
}

// checkNetDevices refuses to take a network device away from the host.
func checkNetDevices(r *request, _ *Decision) *Violation {
	if names := slices.Sorted(maps.Keys(r.spec.Linux.NetDevices)); len(names) > 0 {
		return unsupported("linux.netDevices", "moving the host's network device %q into a container is not built yet", names[0])
	}
	return nil
}

// checkSeccompListener refuses a listener of the client's: runc connects to
// the socket as root of the host and sends it text that the client writes, and
// a task can have one listener only (seccomp_unotify(2): EBUSY).
func checkSeccompListener(r *request, _ *Decision) *Violation {
	if s := r.spec.Linux.Seccomp; s != nil && s.ListenerPath != "" {
		return unsupported("linux.seccomp.listenerPath", "a seccomp listener of the client's own (%q) is not built yet", s.ListenerPath)
	}
	return nil
}
