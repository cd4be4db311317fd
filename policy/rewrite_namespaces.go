package policy

import (
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// rewriteRoot points runc at the staged rootfs. root.readonly stays: runc's
// remount succeeds on a mount that is read-only already, locked or not.
func rewriteRoot(spec *specs.Spec, r *rewrite) {
	root := *spec.Root
	root.Path = r.grant.Root
	spec.Root = &root
}

// rewriteNamespaces adds the namespaces that every container gets.
func rewriteNamespaces(spec *specs.Spec, r *rewrite) {
	list := slices.DeleteFunc(slices.Clone(spec.Linux.Namespaces), func(ns specs.LinuxNamespace) bool {
		return slices.Contains(given, ns.Type)
	})
	for _, t := range given {
		ns := specs.LinuxNamespace{Type: t}
		if t == specs.UserNamespace {
			ns.Path = r.grant.UserNS
		}
		list = append(list, ns)
	}
	spec.Linux.Namespaces = list
}

// rewriteMappings leaves the mapping out where runc joins a namespace that has
// it: runc reads it from there, and warns of both (specconv, 1.5.2), which a
// later version may refuse.
func rewriteMappings(spec *specs.Spec, r *rewrite) {
	spec.Linux.UIDMappings, spec.Linux.GIDMappings = nil, nil
	if r.grant.UserNS == "" {
		spec.Linux.UIDMappings = []specs.LinuxIDMapping{r.grant.mapping()}
		spec.Linux.GIDMappings = []specs.LinuxIDMapping{r.grant.mapping()}
	}
}

// rewriteTimeOffsets lets the container's clocks start at 0, unless the client
// has set one itself (time_namespaces(7)).
func rewriteTimeOffsets(spec *specs.Spec, r *rewrite) {
	offsets := map[string]specs.LinuxTimeOffset{
		"boottime":  back(r.facts.Boottime),
		"monotonic": back(r.facts.Monotonic),
	}
	maps.Copy(offsets, spec.Linux.TimeOffsets)
	spec.Linux.TimeOffsets = offsets
}

// back gives the offset that takes a clock from now to 0. The nanoseconds of
// an offset count upwards, also below 0: -0.3 s is -1 s + 700,000,000 ns.
func back(now time.Duration) specs.LinuxTimeOffset {
	secs, nanos := -(now / time.Second), -(now % time.Second)
	if nanos < 0 {
		secs, nanos = secs-1, nanos+time.Second
	}
	return specs.LinuxTimeOffset{Secs: int64(secs), Nanosecs: uint32(nanos)}
}
