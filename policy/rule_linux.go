package policy

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// How long the path of a cgroup may be, in bytes, and how deep. Kubernetes' have four levels.
const (
	maxCgroupPath  = 1024
	maxCgroupDepth = 16
)

// checkCgroup keeps the container in a cgroup of its own, which is going to be
// delegated to it. runc (>= 1.1) looks whether it is empty, but on cgroup v1 in one
// hierarchy only.
func checkCgroup(r *request, _ *Decision) *Violation {
	p := r.spec.Linux.CgroupsPath
	switch {
	case p == "":
	case hasDotDot(p):
		return denied("linux.cgroupsPath", "the cgroup %q climbs with \"..\"", p)
	case path.Clean(p) == "/" || path.Clean(p) == ".":
		return denied("linux.cgroupsPath", "the cgroup %q is the root cgroup, or the runtime's own", p)
	case strings.ContainsFunc(p, unicode.IsControl):
		return malformed("linux.cgroupsPath", "the cgroup %q holds a control character", p)
	case len(p) > maxCgroupPath || strings.Count(p, "/") > maxCgroupDepth:
		return denied("linux.cgroupsPath", "the path of the cgroup has %d bytes and %d levels, of at most %d and %d: nobody would remove those above the container's", len(p), strings.Count(p, "/"), maxCgroupPath, maxCgroupDepth)
	case !path.IsAbs(p) && strings.Count(p, ":") != 2:
		return unsupported("linux.cgroupsPath", "the cgroup %q is relative to wherever containerd is; write an absolute path, or slice:prefix:name", p)
	case r.facts.CgroupTaken != "":
		return CgroupTaken(p, r.facts.CgroupTaken)
	}
	return checkResources(r.spec.Linux.Resources)
}

// CgroupTaken refuses the cgroup that a spec names; why says who has it. Whoever
// makes the cgroup may find out later than the rule that somebody was faster.
func CgroupTaken(cgroupsPath, why string) *Violation {
	v := denied("linux.cgroupsPath", "the cgroup %q is not the container's alone: %s", cgroupsPath, why)
	v.Rule = ruleCgroup
	return v
}

// checkResources lets a client set limits, and not move processes.
func checkResources(resources *specs.LinuxResources) *Violation {
	if resources == nil {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(resources.Unified)) {
		if strings.HasPrefix(key, "cgroup.") {
			return denied("linux.resources.unified", "%q manages cgroups (processes, controllers); a client may set limits only", key)
		}
		if slices.Contains(exclusive, key) {
			return denied("linux.resources.unified", "%q takes processors away from everybody else; a client may set limits only", key)
		}
	}
	return nil
}

// exclusive are the settings of cgroup v2 by which a cgroup has processors for itself.
var exclusive = []string{"cpuset.cpus.partition", "cpuset.cpus.exclusive"}

// checkNetDevices refuses to take a network device away from the host.
func checkNetDevices(r *request, _ *Decision) *Violation {
	if names := slices.Sorted(maps.Keys(r.spec.Linux.NetDevices)); len(names) > 0 {
		return unsupported("linux.netDevices", "moving the host's network device %q into a container is not built yet", names[0])
	}
	return nil
}

// checkSeccompListener refuses a listener of the client's: runc connects to
// the socket as root of the host and sends it text that the client writes, and
// a task can have one listener only (seccomp_unotify(2): EBUSY). What the client's
// profile wants to send to a listener would come to the agent. With the profile judged, it is
// decided what the agent answers.
func checkSeccompListener(r *request, d *Decision) *Violation {
	if s := r.spec.Linux.Seccomp; s != nil {
		if s.ListenerPath != "" {
			return unsupported("linux.seccomp.listenerPath", "a process can have one seccomp listener only, and it is the runtime's, not one of the client's own (%q)", s.ListenerPath)
		}
		if s.DefaultAction == specs.ActNotify {
			return noListener("linux.seccomp.defaultAction")
		}
		for i, call := range s.Syscalls {
			if call.Action == specs.ActNotify {
				return noListener(fmt.Sprintf("linux.seccomp.syscalls[%d].action", i))
			}
		}
	}
	decideSyscalls(r, d)
	return nil
}

func noListener(field string) *Violation {
	return unsupported(field, "the action %q needs a seccomp listener of the client's own; a process can have one only, and it is the runtime's", specs.ActNotify)
}
