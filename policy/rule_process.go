package policy

import (
	"fmt"
	"path"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkStructure wants the parts that everything else looks into.
func checkStructure(r *request, _ *Decision) *Violation {
	switch {
	case r.spec == nil:
		return malformed("spec", "the spec is empty")
	case r.spec.Linux == nil:
		return malformed("linux", "the spec has no linux section")
	case r.spec.Process == nil:
		return malformed("process", "the spec has no process section")
	case r.spec.Root == nil:
		return malformed("root", "the spec has no root section")
	case r.spec.Root.Path == "":
		return malformed("root.path", "the path of the rootfs is empty")
	case hasNull(r.spec.Root.Path):
		return malformed("root.path", "the path %q holds a null byte", r.spec.Root.Path)
	}
	for _, c := range crowds {
		if n := c.count(r.spec); n > c.most {
			return denied(c.field, "the spec has %d %s, of at most %d", n, c.what, c.most)
		}
	}
	return nil
}

// crowds bound what a spec has many of: rules compare some of it with each other, and some
// of it takes a file descriptor, of a shim that serves other containers as well.
var crowds = []struct {
	field, what string
	most        int
	count       func(*specs.Spec) int
}{
	{"mounts", "mounts", 1000, func(s *specs.Spec) int { return len(s.Mounts) }},
	{"linux.namespaces", "namespaces", 16, func(s *specs.Spec) int { return len(s.Linux.Namespaces) }},
	{"linux.devices", "devices", 2000, func(s *specs.Spec) int { return len(s.Linux.Devices) }},
	{"linux.resources.devices", "device rules", 4000, func(s *specs.Spec) int { return len(clientRules(s)) }},
	{"process.rlimits", "limits", 64, func(s *specs.Spec) int { return len(s.Process.Rlimits) }},
	{"annotations", "bytes of annotations", 1 << 20, func(s *specs.Spec) (n int) {
		for key, value := range s.Annotations {
			n += len(key) + len(value)
		}
		return n
	}},
}

func checkProcess(r *request, _ *Decision) *Violation {
	return badProcess(r.spec.Process)
}

// badProcess holds for the first process and for every later one.
func badProcess(p *specs.Process) *Violation {
	switch {
	case p == nil:
		return malformed("process", "there is no process section")
	case len(p.Args) == 0:
		return malformed("process.args", "there is no program to start")
	case !path.IsAbs(p.Cwd):
		return malformed("process.cwd", "the working directory %q is not an absolute path", p.Cwd)
	case hasNull(p.Cwd):
		return malformed("process.cwd", "the working directory %q holds a null byte", p.Cwd)
	}
	return nil
}

// checkUserIDs stands behind the mapping, which says how many IDs there are.
func checkUserIDs(r *request, d *Decision) *Violation {
	return badUser(r.spec.Process.User, d.Size)
}

func badUser(u specs.User, size uint32) *Violation {
	if u.UID >= size {
		return badID("process.user.uid", "user", u.UID, size)
	}
	if u.GID >= size {
		return badID("process.user.gid", "group", u.GID, size)
	}
	for i, gid := range u.AdditionalGids {
		if gid >= size {
			return badID(fmt.Sprintf("process.user.additionalGids[%d]", i), "group", gid, size)
		}
	}
	return nil
}

func badID(field, what string, id, size uint32) *Violation {
	return denied(field, "%s %d does not exist in the container, which has the IDs 0 to %d", what, id, size-1)
}
